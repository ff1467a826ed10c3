"""The folder of a run: what a start that fails leaves in it, and what one that was stopped says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from spikedeblur.errors import InputError
from spikedeblur.training.config import load_config
from spikedeblur.training.run_folder import RunFolder
from tests.training.pictures import noise_photo, write_png


def test_a_start_that_fails_leaves_no_folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(InputError), folder.locked():
        folder.prepare(load_config("small"))
        raise InputError("no clip can be made")
    assert not folder.root.exists()


def test_what_is_learnt_or_was_there_before_stays(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(InputError), folder.locked():
        folder.prepare(load_config("small"))
        folder.metrics.write_text('{"step": 1}\n')
        raise InputError("the disk is full")
    assert folder.metrics.exists()
    own = tmp_path / "own"
    own.mkdir()
    (own / "notes.txt").write_text("mine")
    with pytest.raises(InputError), RunFolder(own).locked():
        raise InputError("no clip can be made")
    assert (own / "notes.txt").exists()


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        write_png(photos / f"{number}.png", noise_photo(number, 96, 128))
    small = ["TRAIN.WORKERS=0", "TRAIN.BATCH_SIZE=1", "DATA.CROP_SIZE=32", "DATA.CLIP_LEN=2"]
    settings = [f"--set={each}" for each in (*small, "TRAIN.LOG_EVERY=1")]
    command = ["train", "small", "--photos", str(photos), "-o", str(tmp_path / "run"), *settings]
    process = subprocess.Popen(
        [sys.executable, "-m", "spikedeblur", *command],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "step 1:" in line:
            break
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait(60) == 130
    assert "is saved: go on with the same command and --resume" in said
