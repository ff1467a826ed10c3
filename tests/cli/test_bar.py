"""The bar, in a terminal of fifty columns."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.io.image_files import write_image
from tests.cli.running import GEOMETRY
from tests.cli.terminal import Terminal

COLUMNS = 50
FRAMES = 4000
SDM = ["--method", "sdm", "--fps", "50"]
ROOT = Path(__file__).parents[2]
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.slow
def test_a_batch_at_fifty_columns(recording, tmp_path):
    """A clip of seven frames, then a long one under a long name.

    The long one is warned of while the bar is shown: the line stays whole, and below it the bar.
    """
    folder = tmp_path / "frames"
    folder.mkdir()
    first = folder / "through_the_town_at_night_00001.png"
    write_image(first, np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8))
    for number in range(2, FRAMES + 1):
        os.link(first, folder / f"through_the_town_at_night_{number:05}.png")
    listed = tmp_path / "list.txt"
    listed.write_text(
        f"{recording.blurry}\t{recording.spikes}\t{tmp_path}/short.mkv\n"
        f"{folder}/through_the_town_at_night_%05d.png\t{recording.spikes}\t{tmp_path}/long.mkv\n"
    )
    terminal = Terminal(
        [*(sys.executable, "-m", "spikedeblur", "deblur", "--list", str(listed)), *SDM, *GEOMETRY],
        {**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)},
        columns=COLUMNS,
    )
    assert terminal.wait() in (0, 3), terminal.shown
    pieces = [SEQUENCE.sub("", piece) for piece in re.split(r"[\r\n]+", terminal.shown)]
    lines = [piece.strip() for piece in pieces if "ETA" in piece]
    assert all(len(line) < COLUMNS for line in lines), max(lines, key=len)
    bars = [
        line for line in lines if not line.startswith("1/2 ")
    ]  # of a machine that has more to do
    assert bars, terminal.shown
    for line in bars:  # which of how many, beginning and end of the name, frames, time to go
        assert re.match(r"2/2 th\S*…\S*\.png ", line) and f"/{FRAMES} " in line, line
        assert re.search(r" ETA [-\d]:[-\d]{2}:[-\d]{2}( all \d+:\d\d:\d\d)?$", line), line
    assert " all " not in bars[0] and " all 0:" in bars[-1], "known when there is enough to go by"
    assert any(piece.startswith("spikedeblur: warning: no spikes cover") for piece in pieces)
    assert not any("ETA" in piece and "spikedeblur" in piece for piece in pieces)
    assert "ETA" not in terminal.shown.rpartition("wrote")[2], "it goes when all is done"
