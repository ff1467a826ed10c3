"""Half done jobs: what --resume goes on with, what it refuses, and what it makes again."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from spikedeblur.cli.progress import Progress
from spikedeblur.output.parts import Parts
from tests.integration.killing import (
    Job,
    assert_same_video,
    flip_a_byte,
    in_child,
    interrupted,
    signals_at,
)


@pytest.fixture(scope="module")
def half_done(whole, tmp_path_factory) -> Job:
    """A job that was interrupted; nothing is to be done to it."""
    job = whole.copy(tmp_path_factory.mktemp("half") / "job")
    job.output.unlink()
    interrupted(job)
    return job


@pytest.mark.parametrize(
    "options,named",
    [
        (["--crf", "31"], "crf (30.0 before, now 31.0)"),
        (["--method", "tfp"], "method ('tfi' before, now 'tfp')"),
        (["--segment", "8"], "segment (7 before, now 8)"),
        (["--start", "1f"], "start"),
        (["--slowmo", "2"], "slowmo (1 before, now 2)"),
        (["--offset", "0.001"], "offset"),
        (["-e", "tune=film"], "encoder options"),
        (["--compare", "split"], "compare"),
    ],
)
def test_other_settings_are_refused_by_name(half_done, capsys, options, named):
    assert half_done.deblur("--resume", *options) == 2
    error = capsys.readouterr().err
    assert named in error and len(error.splitlines()) == 1
    assert Parts(half_done.output).numbers() == [0, 1]


@pytest.mark.parametrize("name", ["video", "spikes", "sidecar"])
def test_other_files_are_refused_by_name(half_done, tmp_path, capsys, name):
    job = half_done.copy(tmp_path / "job")
    sidecar = job.spikes.with_suffix(".toml")
    if name == "sidecar":
        sidecar.write_text(sidecar.read_text() + "exposure_s = 0.03\n")
    else:
        flip_a_byte(job.video if name == "video" else job.spikes)
    assert job.deblur("--resume") == 2
    error = capsys.readouterr().err
    assert f"the {name}" in error and len(error.splitlines()) == 1
    assert Parts(job.output).numbers() == [0, 1]


def damaged(half_done: Job, whole: Job, folder: Path, seed: int) -> None:
    """Change a byte somewhere in the parts: the video comes out right, or not at all."""
    job, chance = half_done.copy(folder), random.Random(seed)
    path = chance.choice(sorted(Parts(job.output).folder.iterdir()))
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    status = job.deblur("--resume")
    if path.name == "job.json":
        assert status == 1 and not job.output.exists()
    else:
        assert status == 0
        assert_same_video(whole.output, job.output)


@pytest.mark.parametrize("seed", range(1))
def test_damage_anywhere_is_noticed(half_done, whole, tmp_path, seed):
    damaged(half_done, whole, tmp_path / "job", seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 200))
def test_damage_in_many_places_is_noticed(half_done, whole, tmp_path, seed):
    damaged(half_done, whole, tmp_path / "job", seed)


def test_a_dry_run_says_what_is_done(half_done, capsys):
    assert half_done.deblur("--dry-run") == 0
    assert "2 segments are done" in capsys.readouterr().out


def test_work_that_is_there_is_not_thrown_away_unasked(whole, job, capsys):
    interrupted(job)
    capsys.readouterr()
    assert job.deblur() == 1
    assert "--resume to go on, or -y" in capsys.readouterr().err
    assert Parts(job.output).numbers() == [0, 1]
    assert job.deblur("-y") == 0
    assert_same_video(whole.output, job.output)


def test_an_output_that_was_to_be_replaced_still_is(whole, job):
    job.output.write_text("old")
    interrupted(job, "-y")
    assert job.output.read_text() == "old"
    assert job.deblur("--resume") == 0
    assert_same_video(whole.output, job.output)


def test_a_finished_output_is_left_alone(whole, job, capsys):
    assert job.deblur("--resume") == 0
    time_before = job.output.stat().st_mtime_ns
    assert job.deblur("--resume") == 0
    assert job.output.stat().st_mtime_ns == time_before
    assert job.deblur() == 1 and "exists" in capsys.readouterr().err


def test_damaged_segments_are_made_again(whole, job, capsys):
    with signals_at((30, signal.SIGINT)):
        assert job.deblur() == 130
    folder = Parts(job.output).folder
    flip_a_byte(folder / "000001.nut")
    flip_a_byte(folder / "000002.json")
    (folder / "000003.nut").unlink()
    capsys.readouterr()
    assert job.deblur("--resume", quiet=False) == 0
    said = capsys.readouterr().err
    assert [f"segment {number} in" in said for number in range(5)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert_same_video(whole.output, job.output)


def test_a_damaged_note_of_the_job_is_refused(job, capsys):
    interrupted(job)
    flip_a_byte(Parts(job.output).folder / "job.json")
    assert job.deblur("--resume") == 1
    assert "job.json is damaged" in capsys.readouterr().err


def test_two_runs_do_not_share_an_output(whole, job, capsys):
    def stand_still(*_arguments):
        time.sleep(60)

    def stuck() -> int:
        Progress.advance_to = stand_still
        return job.deblur()

    child = in_child(stuck)
    try:
        lock = Parts(job.output).folder / "shard-1-of-1.lock"
        while not (lock.exists() and lock.read_text()):
            time.sleep(0.01)
        assert job.deblur("--resume") == 1
        error = capsys.readouterr().err
        assert f"{job.output} is in use by another process (pid {child}" in error
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert job.deblur("--resume") == 0
    assert_same_video(whole.output, job.output)
