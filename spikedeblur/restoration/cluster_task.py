"""What a worker of a cluster does: a part of a video, as a shard of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikedeblur.errors import LOGGER
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.video import VideoSelection
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.parts import is_finished
from spikedeblur.output.shards import Shard
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.restoration.tiling import untold

TELLING_S = 0.5  # between two words of a task


@dataclass(frozen=True)
class ClusterVideo:
    """A video of a call. tasks: how many share it. stood: the output that stood there before."""

    video: Path
    spikes: Path | None
    output: Path
    selection: VideoSelection
    tasks: int
    stood: tuple[int, int] | None

    def shards(self) -> Iterator[Shard]:
        """The parts that are the tasks."""
        return (Shard(number + 1, self.tasks) for number in range(self.tasks))

    @property
    def is_done(self) -> bool:
        """Return whether the output has been made since."""
        return is_finished(self.output) and state_of(self.output) != self.stood


@dataclass(frozen=True)
class ClusterWork:
    """What is the same for all videos of a call; put once. build: makes the method ready."""

    key: str
    build: Callable[[], Deblurrer]
    spike_options: RecordingSettings
    options: OutputOptions
    segment: int
    strict: bool


def state_of(path: Path) -> tuple[int, int] | None:
    """What tells a file from one that is written in its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


class ProgressBoard:
    """Where tasks write how far they are; an actor of Ray."""

    def __init__(self) -> None:
        self._frames: dict[tuple[int, int], int] = {}

    def tell(self, index: int, shard: int, frames: int) -> None:
        """Note the frames of a task."""
        self._frames[index, shard] = frames

    def frames(self) -> dict[int, int]:
        """Frames of each video, all its tasks together."""
        found: dict[int, int] = {}
        for (index, _), frames in self._frames.items():
            found[index] = found.get(index, 0) + frames
        return found


class NetworkTime:
    """Adds up the time between the beginning of a window of the network and its last tile."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last = 0.0

    def on_tile(self, done: int, _passes: int) -> None:
        """Take what a `TiledModel` tells."""
        now = time.monotonic()
        if done:
            self.seconds += now - self._last
        self._last = now


_built: dict[str, Deblurrer] = {}


def do_task(
    work: ClusterWork, each: ClusterVideo, shard: Shard, index: int, board: Any
) -> tuple[FrameCounts, list[str], float]:
    """Do a part of a video, or what an earlier worker has left of it; in a worker of Ray.

    Returns the counts of the part, or of the whole video where this task has joined it; warnings;
    and seconds in the network.
    """
    if each.is_done:
        return FrameCounts(), [], 0.0
    if work.key not in _built:
        _built.clear()
        _built[work.key] = work.build()
    deblurrer, network, told = _built[work.key], NetworkTime(), 0.0

    def tell(frames: int, _expected: int | None) -> None:
        nonlocal told
        if time.monotonic() - told > TELLING_S:
            told = time.monotonic()
            board.tell.remote(index, shard.index, frames)

    with _warnings() as warnings:
        counts = deblurrer.run(
            each.video,
            each.spikes,
            each.output,
            spike_options=work.spike_options,
            start=each.selection.start,
            end=each.selection.end,
            rate=each.selection.rate,
            colorspace=each.selection.colorspace,
            region=each.selection.region,
            strict=work.strict,
            resume=True,
            shard=shard,
            segment=work.segment,
            on_frame=tell,
            on_tile=network.on_tile if deblurrer.tiled is not None else untold,
            options=work.options,
        )
    return counts, warnings, network.seconds


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect what is warned of meanwhile."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    handler = Collector(logging.WARNING)
    LOGGER.addHandler(handler)
    propagates, LOGGER.propagate = LOGGER.propagate, False
    try:
        yield messages
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.propagate = propagates
