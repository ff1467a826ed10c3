"""Which frames a network pass reads, which it owns, and how overlapping passes merge.

A window is `size` neighbouring frames read together; windows start `stride` frames apart. With a
stride of the window's size each frame is restored once; with a smaller one neighbouring windows
share frames, which are averaged with weights that favour the window's centre, where a frame is seen
with neighbours on both sides.

Everything here is streaming: the number of frames is not known, `size` frames are held going in
and at most `size` going out. A scene cut ends one sequence and begins another: use
`sliding_windows` and `WindowMerger` anew for each shot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from spikedeblur.errors import UsageError

Frame = TypeVar("Frame")


@dataclass(frozen=True)
class Window(Generic[Frame]):
    """The frames of one network pass, and those `before` and `after` that are looked at only.

    `frames` holds exactly the window's size of them, `start` is the index of the first in its
    sequence. A sequence shorter than a window repeats its last frame, because a network with
    learnt temporal positions is at home only with the length it was trained on; `length` is the
    number of frames that are not such repeats.
    """

    frames: tuple[Frame, ...]
    start: int
    length: int
    before: tuple[Frame, ...] = ()
    after: tuple[Frame, ...] = ()


def check_window(size: int, stride: int) -> None:
    """Raise `UsageError` unless 1 <= stride <= size."""
    if size < 1:
        raise UsageError(f"a window needs a frame (--window {size}) - give 1 or more")
    if not 1 <= stride <= size:
        raise UsageError(
            f"the window stride must lie between 1 and the window of {size} frames "
            f"(stride {stride}) - a longer one would skip frames"
        )


def sliding_windows(
    frames: Iterable[Frame], size: int, stride: int, reach: int = 0
) -> Iterator[Window[Frame]]:
    """Yield the windows over one sequence of frames of unknown length.

    reach: frames wanted before and after each window, fewer where the sequence has no more. The
    last window is moved back so that it, too, is full. Holds the last `size` frames and twice the
    reach, and nothing else. Raises `UsageError` for a stride outside [1, size].
    """
    check_window(size, stride)
    recent: deque[Frame] = deque(maxlen=size + 2 * reach)
    count = start = covered = 0

    def window() -> Window[Frame]:
        held = list(recent)
        first = start - (count - len(held))
        inner = held[first : first + size]
        repeats = inner[-1:] * (size - len(inner))
        before = held[max(first - reach, 0) : first]
        after = held[first + size : first + size + reach]
        return Window((*inner, *repeats), start, len(inner), tuple(before), tuple(after))

    for frame in frames:
        recent.append(frame)
        count += 1
        if count == start + size + reach:
            yield window()
            covered, start = start + size, start + stride
    while start + size <= count:
        yield window()
        covered, start = start + size, start + stride
    if covered < count:
        start = max(count - size, 0)
        yield window()


def merge_weights(size: int) -> np.ndarray:
    """Weight of each of a window's predictions, float32 (size,): a triangle over the window."""
    position = np.arange(size)
    return np.minimum(position + 1, size - position).astype(np.float32)


class WindowMerger:
    """Averages the overlapping predictions of successive windows and gives each frame out once.

    A frame is given out as soon as no regular window can read it again. The window that was moved
    back at the end may begin with frames already given out: they serve as context only.
    """

    def __init__(self, size: int, stride: int) -> None:
        self._weights = merge_weights(size)
        self._stride = stride
        self._sums: dict[int, tuple[np.ndarray, np.float32]] = {}
        self._next = 0

    def add(self, start: int, length: int, predictions: np.ndarray) -> Iterator[np.ndarray]:
        """Take float32 predictions (size, ...) of the frames from `start` on; yield finished ones.

        Only the first `length` count; those beyond belong to repeated frames.
        """
        for position in range(max(0, self._next - start), length):
            weight = self._weights[position]
            weighted = predictions[position] * weight
            if start + position in self._sums:
                total, weight_so_far = self._sums[start + position]
                weighted += total
                weight += weight_so_far
            self._sums[start + position] = weighted, weight
        yield from self._give_out(start + self._stride)

    def finish(self) -> Iterator[np.ndarray]:
        """Yield what is left when the last window has been added."""
        yield from self._give_out(self._next + len(self._sums))

    def _give_out(self, stop: int) -> Iterator[np.ndarray]:
        while self._next < stop and self._next in self._sums:
            total, weight = self._sums.pop(self._next)
            self._next += 1
            yield total / weight
