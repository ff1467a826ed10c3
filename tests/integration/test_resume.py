"""A run that was killed and resumed makes the video of a run that was never killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import av
import pytest

from tests.integration.killing import (
    FRAMES,
    SEGMENT,
    Job,
    assert_same_video,
    begun,
    finished,
    in_child,
    killed_after,
    make_job,
)

SUFFIXES = [".mp4", ".mkv"]


@pytest.fixture(scope="module", params=SUFFIXES)
def whole(request, tmp_path_factory) -> Job:
    """A job whose output is there: what every other way has to lead to."""
    job = make_job(tmp_path_factory.mktemp("whole") / "job", request.param)
    assert job.deblur() == 0
    return job


@pytest.fixture(scope="module")
def seconds(whole, tmp_path_factory) -> float:
    """What an uninterrupted run takes in a child process."""
    job = fresh(whole, tmp_path_factory.mktemp("timed"))
    began = time.monotonic()
    assert os.waitpid(in_child(job.deblur), 0)[1] == 0
    return time.monotonic() - began


def fresh(whole: Job, folder: Path) -> Job:
    job = whole.copy(folder / "job")
    job.output.unlink()
    return job


def resumed(job: Job, whole: Job, *options: str) -> None:
    """Go on, and see that all is well."""
    done, half_done, was_joined = finished(job.output), begun(job.output), job.output.exists()
    assert len(half_done) <= 1
    seen: dict[int, tuple[int, int]] = {}
    keep = shutil.rmtree  # the parts are looked at when they are about to be removed

    def look(path: Path, *arguments: object, **keywords: object) -> None:
        if path.name.endswith(".old"):
            seen.update(
                {
                    int(each.stem): (each.stat().st_ino, each.stat().st_mtime_ns)
                    for each in path.glob("[0-9]*.json")
                }
            )
        keep(path, *arguments, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "rmtree", look)
        assert job.deblur("--resume", *options) == 0
    if not was_joined:
        assert {number: seen[number] for number in done} == done
        assert sorted(seen) == list(range(-(-FRAMES // SEGMENT)))
    assert_same_video(whole.output, job.output)
    assert sorted(path.name for path in job.video.parent.iterdir()) == sorted(
        path.name for path in whole.video.parent.iterdir()
    )


def test_the_output_has_what_the_input_has(whole):
    with av.open(str(whole.video)) as source, av.open(str(whole.output)) as output:
        assert len(output.chapters()) == len(source.chapters()) == 2
        assert output.metadata["title"] == "A clip"
        assert [each.type for each in output.streams] == [each.type for each in source.streams]


def killed_at_random(whole: Job, seconds: float, folder: Path, seed: int) -> None:
    job, chance = fresh(whole, folder), random.Random(seed)
    for _ in range(chance.choice([1, 1, 2])):
        killed_after(chance.uniform(0, seconds), lambda: job.deblur("--resume"))
    resumed(job, whole)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment(whole, seconds, tmp_path, seed):
    killed_at_random(whole, seconds, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 50))
def test_killed_at_many_moments(whole, seconds, tmp_path, seed):
    killed_at_random(whole, seconds, tmp_path, seed)


STEPS = [
    (os, "fsync"),
    (os, "replace"),
    (os, "unlink"),
    (os, "mkdir"),
    (os, "rmdir"),
    (os, "link"),
    (Path, "unlink"),
    (Path, "mkdir"),
    (Path, "touch"),
    (Path, "write_bytes"),
]


def killed_at_step(job: Job, number: int) -> bool:
    """Run with `kill -9` before the file system is changed for the `number`th time; whether it
    came to that.
    """
    left = [number]

    def counted(call):
        def step(*arguments, **keywords):
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return call(*arguments, **keywords)

        return step

    def run() -> int:
        for home, name in STEPS:
            setattr(home, name, counted(getattr(home, name)))
        return job.deblur("--segment", "25")

    _, status = os.waitpid(in_child(run), 0)
    assert status in (0, signal.SIGKILL)
    return status != 0


@pytest.fixture(scope="module")
def longer_segments(whole, tmp_path_factory) -> Job:
    job = fresh(whole, tmp_path_factory.mktemp("longer"))
    assert job.deblur("--segment", "25") == 0
    return job


def killed_at_steps(whole: Job, folder: Path, numbers: range) -> int:
    for number in numbers:
        job = fresh(whole, folder / str(number))
        if not killed_at_step(job, number):
            return number
        assert job.deblur("--resume", "--segment", "25") == 0
        assert_same_video(whole.output, job.output)
        left = {path.name for path in job.video.parent.iterdir()}
        assert left == {path.name for path in whole.video.parent.iterdir()}
    return numbers.stop


@pytest.mark.parametrize("whole", [".mp4"], indirect=True)
def test_killed_at_some_steps_of_writing(whole, longer_segments, tmp_path):
    killed_at_steps(longer_segments, tmp_path, range(4, 200, 20))


@pytest.mark.slow
def test_killed_at_every_step_of_writing(whole, longer_segments, tmp_path):
    steps = killed_at_steps(longer_segments, tmp_path, range(200))
    assert 30 < steps < 200
