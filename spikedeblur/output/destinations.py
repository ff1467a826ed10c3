"""Destinations of restored frames: the output itself, or segments that outlive a kill."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.restored import Restored
from spikedeblur.output.writers import OutputWriters

WHOLE = range(sys.maxsize)
"""The segment that holds every frame of a video, however long."""


class Destination(Protocol):
    """The receiver of a run's frames. A context manager, which undoes what is half done."""

    segments: Iterator[range]
    """The frames it wants, in order."""
    expected: int | None
    """Frames to be written in all, as far as is known."""
    done: int
    """Those of them that earlier runs have written."""

    @property
    def tile(self) -> int | None:
        """Side of the tiles that is to be used, None if nothing has been settled."""

    @property
    def warnings(self) -> list[str]:
        """Warnings of what is lost of the input, as far as is known."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def write(self, restored: Restored, sharp: VideoFrame) -> None:
        """Take the next sharp frame, of the frame that was restored."""

    def is_enough(self, restored: Restored) -> bool:
        """Return whether the run is to end before this frame is written."""

    def finish(self, tally: FrameCounts, frames: int | None) -> FrameCounts:
        """Complete what was written; call within the context.

        tally: of this run. frames: how many the video has, if that is known by now.
        Returns the tally of the output, of all runs together.
        """


class WholeOutput:
    """The output itself, which appears when all frames are written. options: of `OutputWriters`."""

    tile = None
    done = 0

    def __init__(
        self, path: Path, source: VideoInfo, options: OutputOptions, expected: int | None
    ) -> None:
        self.segments = iter([WHOLE])
        self.expected = expected
        self._writers = OutputWriters(path, source, options)

    @property
    def warnings(self) -> list[str]:
        return self._writers.warnings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writers.__exit__(kind, error, trace)

    def write(self, restored: Restored, sharp: VideoFrame) -> None:
        self._writers.write(restored.exposed.frame, sharp)

    def is_enough(self, _restored: Restored) -> bool:
        return False

    def finish(self, tally: FrameCounts, _frames: int | None) -> FrameCounts:
        tally.check_coverage()
        return tally
