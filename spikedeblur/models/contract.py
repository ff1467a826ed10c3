"""The contract between a network and its callers: any class with these members is a model."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from spikedeblur.prior.chunks import EVERY_FRAME


@runtime_checkable
class RestorationModel(Protocol):
    """Blurry frames and their spikes -> sharp frames; `VRTSpike` is one."""

    @property
    def bins(self) -> int:
        """Voxel bins over one exposure, K."""

    @property
    def window(self) -> int:
        """Frames of the clips that it was trained on; it takes any number."""

    @property
    def uses_spikes(self) -> bool:
        """Return whether it takes voxel grids."""

    @property
    def size_multiple(self) -> int:
        """Pixels of its pooling grid, at whose multiples tiles begin."""

    @property
    def any_target_time(self) -> bool:
        """Return whether it restores instants beside the middle of the exposure."""

    @property
    def channels_per_pixel(self) -> float:
        """Channels of its widest feature map for each pixel of a frame, which decide its memory."""

    @property
    def reach(self) -> int:
        """Frames to either side of those it restores that it looks at, too, where there are any."""

    def __call__(
        self, rgb: Tensor, voxels: Tensor | None, target_time: float, kept: slice = EVERY_FRAME
    ) -> Tensor:
        """(B, T, 3, H, W) sRGB in [0, 1] of any size, and counts (B, T, K, Hs, Ws) -> as `rgb`.

        target_time: the instant to restore, in [-0.5, 0.5] of the exposure. kept: which of the
        frames to restore; those before and after are looked at only.
        """
