"""Selection of the frames that are needed for some of a video's segments.

A frame near the border of a segment is restored with neighbours that lie beyond it. They are
chosen such that every wanted frame comes out exactly as if the whole video were restored; shots,
by which windows are laid out, are found in all frames, so these are read from the first one on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from spikedeblur.io.video_info import VideoFrame


@dataclass(frozen=True)
class Selected:
    """A frame that is needed.

    sequence: the same for frames that follow each other in one shot. wanted: whether it lies in a
    segment; else it is a neighbour of one that does.
    """

    frame: VideoFrame
    sequence: int
    wanted: bool


class Selection:
    """The frames that `segments` of a video need.

    segments: ranges of places, in order, without overlap; taken as reading goes on. context: gives
    the frames needed for those of a range that lie in one shot, as `Restorer.context` does.
    `frames` is the length of the video once its end has been read, else None.
    """

    def __init__(self, segments: Iterable[range], context: Callable[[range, int], range]) -> None:
        self.frames: int | None = None
        self._coming = iter(segments)
        self._near: deque[range] = deque()
        self._context = context

    def of(self, frames: Iterable[tuple[VideoFrame, int]]) -> Iterator[Selected]:
        """Yield the needed ones of `frames`, which come with the place of their shot's first one.

        Frames are not read further than the last segment needs.
        """
        count, last, sequence = 0, (-2, 0), 0
        for place, (frame, shot) in enumerate(frames):
            count = place + 1
            self._look_around(place, shot)
            if not self._near:
                return
            if any(
                place in self._context(segment, shot)
                for segment in self._near
                if shot < segment.stop
            ):
                if last != (place - 1, shot):
                    sequence = place
                last = place, shot
                yield Selected(frame, sequence, any(place in segment for segment in self._near))
        self.frames = count

    def _look_around(self, place: int, shot: int) -> None:
        """Keep at hand the segments that need the frame at `place`, and one that comes later."""
        near = self._near
        while near and (near[0].stop <= shot or self._context(near[0], shot).stop <= place):
            near.popleft()
        while not near or self._context(near[-1], shot).start <= place:
            segment = next(self._coming, None)
            if segment is None:
                return
            near.append(segment)
