"""Displacements of frames: each frame is found in its own spikes before it is restored.

A frame's displacement depends on the frame and the one before it, if that is of the same shot, so
that it comes out the same wherever a video is cut into parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.errors import LOGGER
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.prior.parallax import FoundWay, find_in_spikes
from spikedeblur.prior.photometry import luminance
from spikedeblur.recording.displacement import Displacement
from spikedeblur.recording.exposures import ExposedFrame, Exposures, expose
from spikedeblur.restoration.view import View

LEAST_KNOWN, LOST_IN_A_ROW = 0.1, 3  # share of a frame; frames
LARGEST_PLANE = 1 << 17  # pixels of the plane on which frames are found in spikes


class Remembered:
    """Frames with the places of their shots' first ones; what came before the last one is kept."""

    def __init__(self, shots: Iterable[tuple[VideoFrame, int]]) -> None:
        self._shots = shots
        self.before: VideoFrame | None = None

    def __iter__(self) -> Iterator[tuple[VideoFrame, int]]:
        last: tuple[VideoFrame, int] | None = None
        for frame, shot in self._shots:
            self.before = last[0] if last is not None and last[1] == shot else None
            last = frame, shot
            yield frame, shot


@dataclass(frozen=True)
class _Placed:
    frame: VideoFrame
    way: Tensor


class Displacing:
    """Gives frames their displacements, one after the other."""

    def __init__(self, exposures: Exposures) -> None:
        self._exposures = exposures
        self._last: _Placed | None = None
        self._lost = 0

    @torch.no_grad()
    def displaced(self, exposed: ExposedFrame, before: VideoFrame | None) -> ExposedFrame:
        """The frame with its displacement; before: the frame before it, if it is of its shot."""
        if exposed.counts is None:
            return exposed
        starts = [] if before is None else self._ways_of(before)
        light, count = both_views(exposed)
        found = find_in_spikes(light, count, starts)
        self._last = _Placed(exposed.frame, found.alone)
        self._tell(float(found.known.mean()))
        return replace(exposed, displacement=displacement_of(found, exposed.frame.rgb.shape[1::-1]))

    def _tell(self, known: float) -> None:
        """Warn, once, if frames in a row are not found."""
        self._lost = self._lost + 1 if known < LEAST_KNOWN else 0
        if self._lost == LOST_IN_A_ROW:
            LOGGER.warning(
                "the frames are not found in their spikes (%.2f of them, parallax being looked for)"
                " - are they of this video? spikedeblur align finds how they lie",
                known,
                extra={"event": {"code": "spikes_do_not_match", "known": round(known, 3)}},
            )

    def _ways_of(self, before: VideoFrame) -> list[Tensor]:
        if self._last is not None and self._last.frame is before:
            return [self._last.way]
        exposed = expose(before, self._exposures)
        return [] if exposed.counts is None else [find_in_spikes(*both_views(exposed)).alone]


def both_views(exposed: ExposedFrame) -> tuple[Tensor, Tensor]:
    """Linear light of the frame and its spikes, (1, 1, h, w) each, on one plane."""
    view = View(exposed)
    assert exposed.counts is not None
    count = torch.from_numpy(view.on_frame(exposed.grey(exposed.counts.sum(axis=0)[None])))[None]
    shrink = 1
    while count.shape[-2] * count.shape[-1] > LARGEST_PLANE * shrink**2:
        shrink += 1
    if shrink > 1:
        count = functional.avg_pool2d(count, shrink, ceil_mode=True, count_include_pad=False)
    rgb = torch.from_numpy(view.frame).permute(2, 0, 1)[None]
    return luminance(rgb, count.shape[-2:]), count


def displacement_of(found: FoundWay, video_size: tuple[int, ...]) -> Displacement:
    """The same in pixels of the video; video_size: (width, height)."""
    way, known, trust = (each[0].numpy() for each in (found.way, found.known, found.trust))
    pitch = np.array(video_size) / np.array(way.shape[:0:-1])
    scaled = (way * pitch[:, None, None]).astype(np.float32)
    return Displacement(scaled, trust[0], known[0])
