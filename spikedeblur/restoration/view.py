"""An exposed frame as the methods without weights take it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spikedeblur.errors import InputError
from spikedeblur.recording.exposures import ExposedFrame
from spikedeblur.restoration.spike_planes import SpikePlanes


@dataclass(frozen=True)
class View:
    """An exposed frame as the methods without weights take it; what is costly is made once."""

    exposed: ExposedFrame

    @cached_property
    def frame(self) -> np.ndarray:
        """(H, W, 3) float32, sRGB in [0, 1]."""
        rgb = self.exposed.rgb
        frame: np.ndarray = rgb.astype(np.float32) / np.float32(np.iinfo(rgb.dtype).max)
        return frame

    @cached_property
    def counts(self) -> np.ndarray:
        """The voxel grid (K, h, w) over the frame's field of view. Raises `InputError`."""
        if self.exposed.counts is None:
            raise InputError("a method without weights needs spikes - give --spikes")
        return self.on_frame(self.exposed.counts)

    @cached_property
    def grey_counts(self) -> np.ndarray:
        """The same as a sensor without colour filters would have counted, about."""
        if self.exposed.counts is None:
            return self.counts
        return self.on_frame(self.exposed.grey(self.exposed.counts))

    @cached_property
    def in_sight(self) -> np.ndarray | None:
        """(h, w), 1 where the sensor looked and 0 elsewhere; None where it saw all of the frame."""
        counts = self.exposed.counts
        if self.exposed.plain or counts is None:
            return None
        sight = np.rint(self.on_frame(np.ones((1, *counts.shape[1:]), np.float32))[0])
        return None if sight.all() else sight

    def on_frame(self, planes: np.ndarray) -> np.ndarray:
        """Planes (K, Hs, Ws) on one over the frame's field of view; empty where no sensor looked.

        With plain scaling the spike plane is that plane itself.
        """
        exposed = self.exposed
        if exposed.plain:
            return planes
        writable = np.require(planes, requirements="W")  # as torch wants it
        displaced = () if exposed.displacement is None else (exposed.displacement,)
        laid = SpikePlanes(writable[None], exposed.homography, exposed.lenses, displaced)
        return laid.on_frame(exposed.frame.rgb.shape[:2])[0]
