"""The output in segments, each of which is safe once it is done, and joined when all are.

Segments have fixed places in the video, so that what is written does not depend on when a run was
interrupted or how many processes share the work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Self

from spikedeblur.errors import LOGGER, UsageError
from spikedeblur.io.atomic import make_folder, remove_leftovers
from spikedeblur.io.ffmpeg.containers import MATROSKA, MOVIE, codecs_held, container_of
from spikedeblur.io.ffmpeg.encoders import choose_encoder
from spikedeblur.io.ffmpeg.segments import segment_format
from spikedeblur.io.image_names import is_image_sequence
from spikedeblur.io.lock import InUseError, exclusive
from spikedeblur.io.pipes import is_pipe
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.machine.interruption import StopSignal
from spikedeblur.output.destinations import Destination, WholeOutput
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.job import RunRecord
from spikedeblur.output.joining import join
from spikedeblur.output.open_segment import OpenSegment
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.parts import End, Parts
from spikedeblur.output.restored import Restored
from spikedeblur.output.shards import Shard
from spikedeblur.output.writers import check_output_settings

# Formats into which segments are known to be joined exactly.
_JOINED = MOVIE | MATROSKA | {"avi", "mpegts"}
# A key held down; under torchrun a Ctrl-C arrives a second time, passed on.
_SAME_SIGNAL_S = 0.1


def open_destination(
    path: Path,
    source: VideoInfo,
    options: OutputOptions,
    expected: int | None,
    *,
    job: Callable[[], RunRecord],
    shard: Shard,
    resume: bool,
) -> Destination:
    """Segments if the output can be joined of them, else the output itself.

    source: the input, as slow motion changes it. expected: frames to be written, if that is known.
    job: describes the run; called only for segments, since it reads all files.
    Raises `UsageError` for shards and for resuming where there are no segments.
    """
    if can_be_segmented(path, source, options):
        return SegmentedOutput(path, source, job(), shard=shard, resume=resume)
    check_whole(path, resume or shard.count > 1)
    return WholeOutput(path, source, options, expected)


def check_destination(
    path: Path, source: VideoInfo, options: OutputOptions, *, in_parts: bool
) -> list[str]:
    """What `open_destination` would warn of; raises what it would, and leaves nothing.

    in_parts: whether the run is resumed, or one of several shards.
    """
    if can_be_segmented(path, source, options):
        return _check_output(Parts(path), source, options, in_parts)
    check_whole(path, in_parts)
    return check_output_settings(path, source, options)


def check_whole(path: Path, in_parts: bool) -> None:
    """Raise `UsageError` where parts are asked for and cannot be."""
    if in_parts:
        raise UsageError(
            f"{path} cannot be made in parts (--resume, --shard) - name an .mp4, .mov, .mkv, "
            ".webm, .avi, .ts or images"
        )


def _check_output(
    parts: Parts, source: VideoInfo, options: OutputOptions, resume: bool
) -> list[str]:
    """What is wrong with the output as it is going to be, or not kept in it."""
    begun = parts.job if resume else None
    may_replace = parts.joining or (begun is not None and begun.output.overwrite)
    options = replace(options, overwrite=options.overwrite or may_replace)
    return check_output_settings(parts.output, source, options)


def can_be_segmented(path: Path, source: VideoInfo, options: OutputOptions) -> bool:
    """Return whether an output can be joined of segments."""
    if is_pipe(path):
        return False
    if is_image_sequence(path):
        return True
    if (container := container_of(path)) not in _JOINED:
        return False
    chosen = choose_encoder(options, source, container, codecs_held(container))
    return segment_format(chosen.codec) is not None


class SegmentedOutput:
    """A `Destination` whose frames are kept in segments until the output can be joined of them.

    source: as of `OutputWriters`. job: what is done; `job.segment` frames that are read make a
    segment. shard: which of them. resume: keep those that are done; several shards always do.
    Nobody else works on the same shard while the context lasts: `OutputError`. Raises what
    `Parts.take_up` and opening the output do.
    """

    def __init__(
        self, path: Path, source: VideoInfo, job: RunRecord, *, shard: Shard, resume: bool
    ) -> None:
        self.parts = Parts(path)
        self._source = source
        self._job = job
        self._shard = shard
        self._resume = resume or shard.count > 1
        self._options = job.output
        self._stop = StopSignal(None if "TORCHELASTIC_RUN_ID" in os.environ else _SAME_SIGNAL_S)
        self._noted = False
        self._coming = -1
        self._open: OpenSegment | None = None
        self.warnings = _check_output(self.parts, source, self._options, self._resume)

    def __enter__(self) -> Self:
        parts, shard = self.parts, self._shard
        whose = f"shard {shard} of {parts.output}" if shard.count > 1 else str(parts.output)
        with ExitStack() as stack:
            make_folder(parts.folder)
            stack.enter_context(
                exclusive(parts.folder / f"shard-{shard.index}-of-{shard.count}.lock", whose)
            )
            stack.callback(self._tidy)
            with exclusive(parts.folder / "job.lock", str(parts.folder), wait=True):
                self._job = parts.take_up(self._job, resume=self._resume)
            if shard.count == 1:
                remove_leftovers(parts.folder)
            stack.enter_context(self._stop)
            self._plan()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            if self._open is not None:
                self._open.abandon(kind, error, trace)
        if self._stop.received and (error is None or isinstance(error, Exception)):
            self._stop.deliver(self._stop.received)

    @property
    def tile(self) -> int | None:
        return self._job.tile

    def write(self, restored: Restored, sharp: VideoFrame) -> None:
        number = self._number_of(restored)
        if self._open is None or self._open.number != number:
            self._close()
            self._open = OpenSegment(
                self.parts,
                number,
                number * self._job.segment * self._job.slowmo,
                self._source,
                self._options,
            )
        self._open.write(restored, sharp)

    def is_enough(self, restored: Restored) -> bool:
        """After a signal, when the segment in progress is complete."""
        number = self._number_of(restored)
        if number != self._coming:
            self._coming = number
            return bool(self._stop.received)
        if self._stop.received and not self._noted:
            self._noted = True
            LOGGER.info(
                "ending when the segment in progress is done, in %d frames at most; "
                "a second signal ends at once",
                self._job.segment - restored.exposed.frame.index % self._job.segment,
            )
        return False

    def finish(self, tally: FrameCounts, frames: int | None) -> FrameCounts:
        self._close()
        if frames is not None:
            self.parts.note_end(End(frames=frames, damaged=tally.damaged))
        if self._stop.received:
            return tally
        segments = self.parts.complete()
        if segments is None:
            LOGGER.info("shard %s is done; whichever is done last joins them all", self._shard)
            return tally
        try:
            total, warnings = join(self.parts, segments, self._source, self._options, tally.damaged)
        except InUseError:
            if self._shard.count == 1:
                raise
            LOGGER.info("another shard joins %s", self.parts.output)
            return tally
        self.warnings += [each for each in dict.fromkeys(warnings) if each not in self.warnings]
        return total

    def _plan(self) -> None:
        """Find the segments to be done, and how much there is to do."""
        length, frames = self._job.segment, self._source.frame_count_estimate
        count = None if frames is None else -(-frames // length)
        self.segments: Iterator[range] = (
            range(number * length, (number + 1) * length)
            for number in self.parts.missing(self._shard.segments(count))
        )
        self.expected, finished = None, len(self.parts.numbers()) * length
        if frames is not None and count is not None:
            sizes = {
                number: min(length, frames - number * length)
                for number in takewhile(lambda number: number < count, self._shard.segments(count))
            }
            self.expected = sum(sizes.values()) * self._job.slowmo
            finished = sum(sizes.get(number, 0) for number in self.parts.numbers())
        self.done = finished * self._job.slowmo

    def _number_of(self, restored: Restored) -> int:
        return restored.exposed.frame.index // self._job.segment

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _tidy(self) -> None:
        """Leave no folder in which nothing is done."""
        if self._shard.count == 1 and not self.parts.numbers():
            self.parts.remove()
