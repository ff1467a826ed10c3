"""Exposures counted beforehand: voxel grids, one for each frame of a video."""

from __future__ import annotations

from copy import copy
from fractions import Fraction
from typing import Protocol, Self

import numpy as np

from spikedeblur.errors import InputError
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.quantities import Exposure
from spikedeblur.recording.lenses import Lenses
from spikedeblur.recording.transfer import Transfer

WHOLE_INTERVAL = Exposure(Fraction(1), relative=True)


class GridSource(Protocol):
    """Voxel grids by frame number, each (K, H, W) float32 counts."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> np.ndarray: ...


class VoxelExposures:
    """Exposures made beforehand: grid n belongs to video frame n.

    bins: those that the grids have to have. exposure: shutter time, centred in the interval.
    """

    def __init__(
        self,
        grids: GridSource,
        *,
        bins: int | None = None,
        name: str = "voxel file",
        homography: tuple[float, ...] | None = None,
        lenses: Lenses | None = None,
        exposure: Exposure = WHOLE_INTERVAL,
    ) -> None:
        self.homography = homography
        self.lenses = lenses
        self.transfer: Transfer | None = None
        self.parallax = False
        self.rig_known = homography is not None or lenses is not None
        self._exposure = exposure
        if len(grids) == 0:
            raise InputError(f"{name} holds no voxel grid - make it anew with spikedeblur voxelize")
        found, height, width = grids[0].shape
        self.size = width, height
        if bins is not None and found != bins:
            raise InputError(
                f"{name} holds grids of {found} bins, the model takes {bins} - "
                f"make it anew with spikedeblur voxelize --bins {bins}"
            )
        self._grids = grids

    def __len__(self) -> int:
        """Frames that have a grid."""
        return len(self._grids)

    def counts(self, frame: VideoFrame) -> tuple[np.ndarray | None, Fraction]:
        """Return the frame's voxel grid and 1; None and 0 beyond the last one."""
        if frame.index >= len(self._grids):
            return None, Fraction(0)
        return self._grids[frame.index], Fraction(1)

    def shutter(self, frame: VideoFrame) -> tuple[Fraction, Fraction]:
        """Return when the frame's shutter opened and closed, seconds on the video's clock."""
        time, interval = frame.span
        exposure = self._exposure.seconds(interval)
        opened = time + (interval - exposure) / 2
        return opened, opened + exposure

    def placed(self, homography: tuple[float, ...], lenses: Lenses | None = None) -> Self:
        """The same with another homography and other lenses."""
        other = copy(self)
        other.homography, other.lenses = homography, lenses
        return other
