"""Exposed frames in, sharp pictures out, in the same order: by the network, or without weights."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, repeat
from typing import Protocol

import numpy as np

from spikedeblur.errors import UsageError
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.machine.memory import keep_freed
from spikedeblur.machine.side_by_side import SideBySide
from spikedeblur.output.restored import Restored
from spikedeblur.recording.exposures import ExposedFrame
from spikedeblur.restoration.cuts import in_shots
from spikedeblur.restoration.inference import TiledModel
from spikedeblur.restoration.methods import METHODS, Method
from spikedeblur.restoration.spike_planes import SpikePlanes
from spikedeblur.restoration.view import View
from spikedeblur.restoration.windows import Window, WindowMerger, check_window, sliding_windows
from spikedeblur.vocabulary import NETWORK, WINDOW


class Restorer(Protocol):
    """Anything that restores frames one after the other, holding only a few."""

    def in_shots(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, int]]:
        """Each frame with the place of the first one it may be restored together with."""

    def context(self, wanted: range, shot: int) -> range:
        """The frames to give to `restore` for those of `wanted` that lie in one shot.

        They come out exactly as if all frames were given. shot: place of its first frame, not
        after the last one wanted; a context may reach beyond the shot's end.
        """

    def restore(self, frames: Iterable[ExposedFrame]) -> Iterator[Restored]:
        """Yield each frame once, in order; those of different sequences do not meet."""


class NetRestorer:
    """Windows of frames through the network, overlapping predictions merged.

    A hard cut ends one sequence of windows and begins another, so that no window sees two shots.

    window: frames of one pass, T. stride: frames from one window to the next, None for the window,
    so that each frame is restored once.
    target_times: instants of the exposure to restore, each in [-0.5, 0.5].
    Raises `UsageError` for a stride outside [1, window].
    """

    def __init__(
        self,
        model: TiledModel,
        *,
        window: int = WINDOW,
        stride: int | None = None,
        target_times: Sequence[float] = (0.0,),
    ) -> None:
        self.window = window
        self.stride = window if stride is None else stride
        check_window(self.window, self.stride)
        self._model = model
        self._reach = model.model.reach
        self._target_times = target_times

    def in_shots(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, int]]:
        """Each frame with the place of the first one of its shot, between hard cuts."""
        return in_shots(frames, lambda frame: frame.rgb)

    def context(self, wanted: range, shot: int) -> range:
        """From the start of a window on, at whose end no other one that is wanted is begun.

        The first window is early enough for one more regular window to end before the shot does:
        else the last one, which is moved back, would lie elsewhere.
        """
        first, last = max(wanted.start - shot, 0), wanted.stop - 1 - shot
        start = max(first + 1 - self.window - self._reach, 0) // self.stride * self.stride
        stop = last // self.stride * self.stride + self.window + self._reach
        return range(shot + start, shot + stop)

    def restore(self, frames: Iterable[ExposedFrame]) -> Iterator[Restored]:
        """Yield each frame once, restored from all windows that it lies in."""
        for _, sequence in groupby(frames, key=lambda exposed: exposed.sequence):
            yield from self._restore_sequence(sequence)

    def _restore_sequence(self, frames: Iterable[ExposedFrame]) -> Iterator[Restored]:
        waiting: deque[ExposedFrame] = deque()
        mergers = [WindowMerger(self.window, self.stride) for _ in self._target_times]
        entered = 0
        for window in sliding_windows(frames, self.window, self.stride, self._reach):
            new = window.start + window.length - entered
            waiting.extend(window.frames[window.length - new : window.length])
            entered += new
            predictions = self._predict(window)
            merged = [
                merger.add(window.start, window.length, prediction)
                for merger, prediction in zip(mergers, predictions, strict=True)
            ]
            for pictures in zip(*merged, strict=True):
                yield self._restored(waiting.popleft(), pictures)
        for pictures in zip(*(merger.finish() for merger in mergers), strict=True):
            yield self._restored(waiting.popleft(), pictures)

    def _predict(self, window: Window[ExposedFrame]) -> list[np.ndarray]:
        """One float32 array (T, 3, H, W) per target time."""
        if not any(exposed.coverage and exposed.wanted for exposed in window.frames):
            shape = (len(window.frames), 3, *window.frames[0].frame.rgb.shape[:2])
            return [np.broadcast_to(np.float32(0), shape)] * len(self._target_times)
        frames = (*window.before, *window.frames, *window.after)
        kept = slice(len(window.before), len(window.before) + len(window.frames))
        rgb = np.stack([exposed.rgb for exposed in frames])
        return self._model(rgb, self._planes(frames), self._target_times, kept)

    def _planes(self, frames: Sequence[ExposedFrame]) -> SpikePlanes | None:
        """The window's voxel grids; a frame without any gets empty ones, as a neighbour only."""
        known = [exposed.counts for exposed in frames if exposed.counts is not None]
        if not known:
            return None
        empty = np.zeros_like(known[0])
        counts = np.stack(
            [empty if exposed.counts is None else exposed.counts for exposed in frames]
        )
        displacements = tuple(exposed.displacement for exposed in frames)
        return SpikePlanes(counts, frames[0].homography, frames[0].lenses, displacements)

    def _restored(self, exposed: ExposedFrame, pictures: Sequence[np.ndarray]) -> Restored:
        not_finite, self._model.not_finite = self._model.not_finite, 0
        if not exposed.coverage:
            return Restored(exposed, None, not_finite)
        return Restored(exposed, [np.moveaxis(picture, 0, -1) for picture in pictures], not_finite)


def restorer_of(method: str, target_times: Sequence[float] = (0.0,)) -> Restorer:
    """Make ready a method without weights, by name as `ClassicalRestorer` takes it."""
    known = METHODS.get(method)
    if known is not None and known.restorer is not None:
        return known.restorer(target_times)
    return ClassicalRestorer(method, target_times)


class ClassicalRestorer:
    """One of the methods without weights, each frame by itself.

    method: a name of `METHODS`, or NAME:FRACTION for rates over that part of the exposure
    everywhere. Raises `UsageError` for another.
    """

    def __init__(self, method: str, target_times: Sequence[float] = (0.0,)) -> None:
        name, separator, fraction = method.partition(":")
        if name not in METHODS:
            raise UsageError(f"unknown method ({method!r}) - give {NETWORK}, {', '.join(METHODS)}")
        self._method = METHODS[name]
        self._window = _window(method, fraction, self._method) if separator else None
        self._target_times = target_times
        keep_freed()

    def in_shots(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, int]]:
        """Each frame with the place 0: no frame needs another one."""
        return zip(frames, repeat(0), strict=False)

    def context(self, wanted: range, shot: int) -> range:
        """The frames wanted, and no others."""
        return wanted

    def restore(self, frames: Iterable[ExposedFrame]) -> Iterator[Restored]:
        """Yield each frame, restored by itself."""
        with SideBySide() as workers:
            yield from workers.map(self._restored, frames)

    def _restored(self, exposed: ExposedFrame) -> Restored:
        if not exposed.coverage:
            return Restored(exposed, None)
        view, picture = View(exposed), self._method.picture
        return Restored(exposed, [picture(view, time, self._window) for time in self._target_times])


def _window(text: str, fraction: str, method: Method) -> float:
    """The window that a method such as `sdm:0.125` names."""
    try:
        window = float(fraction)
    except ValueError:
        window = 0.0
    if not method.takes_window or not 0 < window <= 1:
        known = " or ".join(
            f"{name}:FRACTION" for name, each in METHODS.items() if each.takes_window
        )
        raise UsageError(
            f"no such window ({text!r}) - give {known}, the part of the exposure, "
            "above 0 and up to 1"
        )
    return window
