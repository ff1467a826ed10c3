"""Commands run in this process and in others, and the one line they say of an error."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from spikedeblur.cli.main import main
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH

GEOMETRY = ["--spike-size", f"{WIDTH // 2}x{HEIGHT // 2}", "--spike-rate", str(RATE * TICKS)]


def deblur(folder: Path, *args: str, video: str = "blurry.mkv", spikes: str = "spikes.dat") -> int:
    return main(
        ["deblur", str(folder / video), "--spikes", str(folder / spikes), "--method", "sdm", *args]
    )


def only_error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of error, whose form is checked; a run may have said what it will do before."""
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    if len(lines) > 1 and re.fullmatch(r"spikedeblur: \d+ frames of \d+x\d+ by .*", lines[0]):
        del lines[0]
    assert len(lines) == 1, captured.err
    assert re.fullmatch(r"spikedeblur: error: .* - .*", lines[0]), lines[0]
    return lines[0]


def start(*args: str, **kwargs: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "spikedeblur", *args],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **kwargs,
    )
