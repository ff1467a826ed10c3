"""The method `joint`: each frame restored together with the one before and the one after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from threading import Lock

from spikedeblur.io.video_info import VideoFrame
from spikedeblur.machine.memory import keep_freed
from spikedeblur.machine.side_by_side import SideBySide
from spikedeblur.output.restored import Restored
from spikedeblur.prior.features import REACH
from spikedeblur.prior.frames import ReadFrame, joint_frame
from spikedeblur.recording.exposures import ExposedFrame
from spikedeblur.restoration.cuts import in_shots
from spikedeblur.restoration.tiling import OnTile, untold
from spikedeblur.restoration.view import View


@dataclass(frozen=True)
class Read:
    """An exposed frame as it was read; None where no spikes cover it."""

    exposed: ExposedFrame
    frame: ReadFrame | None

    @classmethod
    def of(cls, exposed: ExposedFrame) -> Read:
        if not exposed.coverage:
            return cls(exposed, None)
        view = View(exposed)
        return cls(exposed, ReadFrame.of_arrays(view.frame, view.counts, view.in_sight))

    @property
    def can_help(self) -> bool:
        """Whether it says something of its neighbours: only if all of its exposure is known."""
        return self.exposed.coverage == 1


class JointRestorer:
    """Path and joint picture, frame by frame; neighbours lie in the same shot.

    Three frames are held for each core, each of which is read once. target_times: instants of the
    exposure to restore, each in [-0.5, 0.5]. on_step: called before a frame is read, and after it
    and each of its pictures, as an `OnTile`, by one thread at a time.
    """

    def __init__(self, target_times: Sequence[float] = (0.0,)) -> None:
        self._target_times = target_times
        self.steps = 1 + len(target_times)  # of a frame
        self.on_step: OnTile = untold
        self._one_at_a_time = Lock()
        keep_freed()

    def in_shots(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, int]]:
        return in_shots(frames, lambda frame: frame.rgb)

    def context(self, wanted: range, shot: int) -> range:
        return range(max(wanted.start - REACH, shot), wanted.stop + REACH)

    def restore(self, frames: Iterable[ExposedFrame]) -> Iterator[Restored]:
        with SideBySide() as workers:
            for _, sequence in groupby(frames, key=lambda exposed: exposed.sequence):
                read = workers.map(self._read, sequence)
                yield from workers.map(self._restored, with_neighbours(read))

    def _read(self, exposed: ExposedFrame) -> Read:
        self._tell(0)
        read = Read.of(exposed)
        self._tell(1)
        return read

    def _tell(self, done: int) -> None:
        with self._one_at_a_time:
            self.on_step(done, self.steps)

    def _restored(self, three: tuple[Read | None, Read, Read | None]) -> Restored:
        """Restore the middle one at all target times, if it is wanted and can be."""
        before, here, after = three
        if here.frame is None or not here.exposed.wanted:
            return Restored(here.exposed, None)
        around = {
            distance: each.frame
            for distance, each in ((-1, before), (1, after))
            if each is not None and each.frame is not None and each.can_help
        }
        pictures = []
        for time in self._target_times:
            pictures.append(joint_frame(here.frame, around, time).permute(1, 2, 0).numpy())
            self._tell(1 + len(pictures))
        return Restored(here.exposed, pictures)


def with_neighbours(frames: Iterable[Read]) -> Iterator[tuple[Read | None, Read, Read | None]]:
    """Give each frame with the one before and the one after."""
    before: Read | None = None
    here: Read | None = None
    for after in chain(frames, [None]):
        if here is not None:
            yield before, here, after
        before, here = here, after
