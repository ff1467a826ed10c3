"""Runs of `deblur` in a process of their own that is killed, and what they leave."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.cli.main import main
from spikedeblur.cli.progress import Progress
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.spikes.stream import write_dat
from spikedeblur.output.parts import Parts
from tests.io.clips import Clip, frames_of, make_clip, packets_of

FRAMES = 40
SEGMENT = 7
RATE, TICKS = 25, 8  # frames a second, ticks a frame


@dataclass(frozen=True)
class Job:
    """A video with its spikes, in a folder with nothing else."""

    video: Path
    spikes: Path

    @property
    def output(self) -> Path:
        return self.video.with_name(f"out{self.video.suffix}")

    def deblur(self, *options: str, output: Path | None = None, quiet: bool = True) -> int:
        """Run the command, with the cheapest method; return its exit status.

        The preset has no macroblock tree, by which libx264 encodes some sizes now so, now so.
        """
        return main(
            [
                *["-q"] * quiet,
                "deblur",
                str(self.video),
                "--spikes",
                str(self.spikes),
                "--method",
                "tfi",
                "--segment",
                str(SEGMENT),
                "--preset",
                "ultrafast",
                "--crf",
                "30",
                "--progress",
                "none",
                "-o",
                str(output or self.output),
                *options,
            ]
        )

    def copy(self, folder: Path) -> Job:
        """The same in another folder."""
        shutil.copytree(self.video.parent, folder)
        return Job(folder / self.video.name, folder / self.spikes.name)


def make_job(folder: Path, suffix: str, frames: int = FRAMES) -> Job:
    """64x48 pixels at 25 frames a second, with sound, subtitles and chapters."""
    folder.mkdir(parents=True)
    movie = suffix == ".mp4"
    clip = Clip(
        suffix=suffix,
        size=(64, 48),
        audio=True,
        subtitles=1,
        chapters=True,
        time_base=Fraction(1, 12800 if movie else 1000),
        times=tuple(number * (512 if movie else 40) for number in range(frames)),
    )
    planes = np.random.default_rng(1).random((frames * TICKS, 24, 32)) < 0.3
    write_dat(folder / "spikes.dat", [planes])
    write_sidecar(
        folder / "spikes.toml",
        RecordingSettings(width=32, height=24, rate_hz=Fraction(RATE * TICKS)),
    )
    return Job(make_clip(folder, clip), folder / "spikes.dat")


def in_child(action: Callable[[], int], stderr: int | None = None) -> int:
    """Begin `action` in a child process, whose exit status it gives; returns its id.

    stderr: a file descriptor; without it, what the child says is dropped.
    """
    child = os.fork()
    if child:
        return child
    status = 99
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY) if stderr is None else stderr, 2)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        status = action()
        sys.stderr.flush()
    finally:
        os._exit(status)


def outcome_in_child(action: Callable[[], int]) -> tuple[int, str]:
    """Exit status of `action`, and what it says, in a child process, which limits may be set in."""
    reading, writing = os.pipe()
    child = in_child(action, writing)
    os.close(writing)
    with open(reading, encoding="utf-8") as said:
        text = said.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


def killed_after(seconds: float, action: Callable[[], int]) -> None:
    """Run `action` in a child process, and kill that when it has had so much time."""
    child = in_child(action)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def finished(output: Path) -> dict[int, tuple[int, int]]:
    """Segments that are done: number -> what tells their record from another one's."""
    parts = Parts(output)
    stats = {number: (parts.folder / f"{number:06}.json").stat() for number in parts.numbers()}
    return {number: (stat.st_ino, stat.st_mtime_ns) for number, stat in stats.items()}


def begun(output: Path) -> set[int]:
    """Segments of which something is there, but which are not done."""
    names = [path.name.lstrip(".") for path in Parts(output).folder.glob("*[0-9]*")]
    numbers = {int(name[:6]) for name in names if name[:6].isdigit()}
    return numbers - set(finished(output))


def assert_same_video(one: Path, other: Path) -> None:
    """Frames, times, sound and subtitles agree exactly."""
    for left, right in zip(frames_of(one), frames_of(other), strict=True):
        assert (left.time, left.interval) == (right.time, right.interval)
        np.testing.assert_array_equal(left.rgb, right.rgb)
    assert packets_of(one) == packets_of(other)


@contextmanager
def signals_at(*events: tuple[int, int]) -> Iterator[None]:
    """Have this process get a signal when so many frames are done, for each (frames, signal)."""
    waiting = list(events)
    advance = Progress.advance_to

    def advance_to(self, frames, total):
        advance(self, frames, total)
        if waiting and frames == waiting[0][0]:
            time.sleep(0.12)  # else it counts as the one before, come twice
            os.kill(os.getpid(), waiting.pop(0)[1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "advance_to", advance_to)
        yield


def interrupted(job: Job, *options: str, output: Path | None = None) -> None:
    with signals_at((10, signal.SIGINT)):
        assert job.deblur(*options, output=output) == 130
    assert Parts(output or job.output).numbers()


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
