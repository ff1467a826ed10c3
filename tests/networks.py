"""Functions in a network's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Network:
    """A function (rgb, voxels, target time) -> rgb as a `RestorationModel`; also a decorator."""

    function: Callable[..., Tensor]
    bins: int = 32
    window: int = 5
    uses_spikes: bool = True
    size_multiple: int = 16
    any_target_time: bool = True
    channels_per_pixel: float = 120.0

    def __call__(self, rgb: Tensor, voxels: Tensor | None, target_time: float) -> Tensor:
        return self.function(rgb, voxels, target_time)


def without_spikes(function: Callable[..., Tensor]) -> Network:
    """Decorate a function that takes no voxel grids."""
    return Network(function, uses_spikes=False)
