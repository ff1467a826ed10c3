"""Frames restored at their own instants, each together with the neighbours that it needs."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby

from spikedeblur.io.video_info import VideoFrame
from spikedeblur.output.instants import Instants
from spikedeblur.output.restored import Restored
from spikedeblur.quantities import exact
from spikedeblur.recording.exposures import ExposedFrame, Exposures, StreamExposures
from spikedeblur.recording.voxel_exposures import VoxelExposures
from spikedeblur.restoration.restorers import Restorer

__all__ = ["InstantsRestorer", "placed_instants"]


def placed_instants(
    frames: Iterable[VideoFrame], exposures: Exposures | None, wanted: Iterable[Fraction | float]
) -> Instants:
    """The frames whose exposures `wanted`, seconds on the video's clock, lie in.

    Without spikes a frame is taken to be exposed for all of its interval. Raises `UsageError`.
    """

    def shutter(frame: VideoFrame) -> tuple[Fraction, Fraction]:
        if isinstance(exposures, StreamExposures | VoxelExposures):
            return exposures.shutter(frame)
        time, interval = frame.span
        return time, time + interval

    seconds = [exact(each) for each in wanted]
    return Instants.placed(seconds, ((frame.index, shutter(frame)) for frame in frames))


class InstantsRestorer:
    """A `Restorer` of the frames that have instants, each at its own ones.

    restorer: how frames are restored. at: the same for other target times. targets: target times
    by the number of the frame. A frame comes out as it would in a video restored at these times.
    """

    def __init__(
        self,
        restorer: Restorer,
        at: Callable[[Sequence[float]], Restorer],
        targets: Mapping[int, Sequence[float]],
    ) -> None:
        self._restorer = restorer
        self._at = at
        self._targets = targets
        self._numbers = sorted(targets)
        self._shots: dict[int, int] = {}

    @property
    def segments(self) -> Iterator[range]:
        """The frames that have instants, each by itself."""
        return (range(number, number + 1) for number in self._numbers)

    def in_shots(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, int]]:
        """Each frame with the place of the first one it may be restored together with."""
        for frame, shot in self._restorer.in_shots(frames):
            if frame.index in self._targets:
                self._shots[frame.index] = shot
            yield frame, shot

    def context(self, wanted: range, shot: int) -> range:
        """The frames to give to `restore` for those of `wanted` that lie in one shot."""
        return self._restorer.context(wanted, shot)

    def restore(self, frames: Iterable[ExposedFrame]) -> Iterator[Restored]:
        """Yield each frame that has instants, once, in order."""
        for _, sequence in groupby(frames, key=lambda exposed: exposed.sequence):
            yield from self._restore_sequence(sequence)

    def _restore_sequence(self, frames: Iterable[ExposedFrame]) -> Iterator[Restored]:
        held: list[ExposedFrame] = []
        waiting: deque[int] = deque()
        shot: int | None = None
        for exposed in frames:
            held.append(exposed)
            index = exposed.frame.index
            if exposed.wanted:
                waiting.append(index)
                shot = self._shots[index]
            while waiting and self._context(waiting[0]).stop <= index + 1:
                yield self._restored(waiting.popleft(), held)
            if shot is not None:
                first = min(self._first(number, shot) for number in (*waiting, self._after(index)))
                held = [each for each in held if each.frame.index >= first]
        for number in waiting:
            yield self._restored(number, held)

    def _restored(self, number: int, held: Sequence[ExposedFrame]) -> Restored:
        needed = self._context(number)
        around = (exposed for exposed in held if exposed.frame.index in needed)
        found = self._at(self._targets[number]).restore(around)
        return next(each for each in found if each.exposed.frame.index == number)

    def _context(self, number: int) -> range:
        return self.context(range(number, number + 1), self._shots[number])

    def _first(self, number: int, shot: int) -> int:
        """The first frame that one in this shot is restored with."""
        return self.context(range(number, number + 1), shot).start

    def _after(self, index: int) -> int:
        """The next frame that has instants; far away if there is none."""
        place = bisect_right(self._numbers, index)
        return self._numbers[place] if place < len(self._numbers) else sys.maxsize
