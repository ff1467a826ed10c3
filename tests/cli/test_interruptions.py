"""Logs, signals, readers that go away and disks that are full."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest

from spikedeblur.cli.main import main
from spikedeblur.cli.status import ExitStatus
from tests.cli.running import GEOMETRY, only_error, start
from tests.recordings import HEIGHT, WIDTH


def test_log_file_takes_every_message(copy, capsys):
    log = copy / "run.log"
    assert main(["-q", "--log-file", str(log), "info", str(copy / "nowhere")]) == ExitStatus.FAILED
    assert re.search(r"^\d{4}-\d\d-\d\d .* spikedeblur: error: .*nowhere", log.read_text())


def test_a_log_file_that_is_none_is_refused(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    for log in (tmp_path / "pipe", Path(os.devnull)):
        assert main(["--log-file", str(log), "info", "x"]) == ExitStatus.FAILED
        assert f"the log is a pipe or a device ({log})" in only_error(capsys)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGTERM, ExitStatus.TERMINATED),
        (signal.SIGHUP, ExitStatus.TERMINATED),
        (signal.SIGINT, ExitStatus.CTRL_C),
    ],
)
def test_signals_end_the_run_cleanly(recording, tmp_path, number, status):
    """Ten thousand frames, which the fastest machine does not end between two lines of progress."""
    folder = tmp_path / "frames"
    folder.mkdir()
    image = make_image(folder / "00000.png")
    for index in range(1, 10_000):
        os.link(image, folder / f"{index:05}.png")
    process = start(
        "deblur",
        str(folder / "%05d.png"),
        "--spikes",
        str(recording.spikes),
        "--method",
        "sdm",
        "-o",
        str(tmp_path / "out.mkv"),
        "--json",
        *GEOMETRY,
    )
    assert process.stdout is not None
    for line in process.stdout:  # warnings and the beginning are told before the first frame
        if re.search('"progress", "frames": [1-9]', line):
            break
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == status, errors
    assert "Traceback" not in errors and "--resume" in errors.splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames", "out.mkv.parts"]


def make_image(path: Path) -> Path:
    import numpy as np

    from spikedeblur.io.image_files import write_image

    write_image(path, np.full((HEIGHT, WIDTH, 3), 99, np.uint8))
    return path


def test_a_reader_that_goes_away_is_no_error(recording):
    process = start("info", *[str(recording.spikes)] * 400)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == ExitStatus.BROKEN_PIPE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_for_the_log_does_not_stop_the_work(copy, capsys, monkeypatch):
    def opened(handler: logging.FileHandler) -> TextIO:
        return open("/dev/full", handler.mode, encoding=handler.encoding)

    monkeypatch.setattr(logging.FileHandler, "_open", opened)
    log = copy / "run.log"
    assert (
        main(
            [
                "--log-file",
                str(log),
                "deblur",
                str(copy / "blurry.mkv"),
                "--spikes",
                str(copy / "spikes.dat"),
                "--method",
                "tfi",
                "--progress",
                "none",
            ]
        )
        == 0
    )
    said = capsys.readouterr().err
    assert said.count(f"the log ends here ({log}: No space left on device)") == 1
    assert "Traceback" not in said and "wrote" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("args", [["info"], ["info", "--json"], ["--version"]])
def test_a_full_disk_for_standard_output(recording, args):
    more = [str(recording.spikes)] if args[0] == "info" else []
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "spikedeblur", *args, *more],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == ExitStatus.FAILED
    assert re.fullmatch(r"spikedeblur: error: cannot write .* - .*\n", done.stderr), done.stderr
