"""Functions in a network's place, small networks, and clips for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.models.build import build_model
from spikedeblur.prior.chunks import EVERY_FRAME
from spikedeblur.prior.photometry import grey, to_linear
from spikedeblur.training.config import load_config


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
    reach: int = 0

    def __call__(
        self, rgb: Tensor, voxels: Tensor | None, target_time: float, kept: slice = EVERY_FRAME
    ) -> Tensor:
        return self.function(rgb, voxels, target_time)[:, kept]


def without_spikes(function: Callable[..., Tensor]) -> Network:
    """Decorate a function that takes no voxel grids."""
    return Network(function, uses_spikes=False)


TINY = [
    "DATA.K=8",
    "MODEL.CHANNELS_PER_SCALE=[8,8,8,8]",
    "MODEL.SPIKE_TSA.HEADS=2",
    "MODEL.FUSE.HEADS=2",
    "MODEL.VRT.EMBED_DIMS=[8,8,8,8,8,8,8,8,8,8,8]",
    "MODEL.VRT.DEPTHS=[2,2,2,2,2,2,2,1,1,1,1]",
    "MODEL.VRT.NUM_HEADS=[2,2,2,2,2,2,2,2,2,2,2]",
    "MODEL.VRT.WINDOW_SIZE=[2,4,4]",
    "MODEL.VRT.DEFORMABLE_GROUPS=2",
]


def tiny(name, *overrides, seed=0):
    torch.manual_seed(seed)
    return build_model(load_config(name, [*TINY, *overrides]).network).eval()


def shaken(model, seed=1):
    """The model with every weight moved, so that branches that start at zero are seen."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


def clip(frames=5, height=32, width=40, plane=(16, 20), bins=8, batch=1, seed=0):
    """Random frames, and counts that are spread at random over time but belong to the frames."""
    generator = torch.Generator().manual_seed(seed)
    rgb = torch.rand(batch, frames, 3, height, width, generator=generator)
    light = functional.adaptive_avg_pool2d(grey(to_linear(rgb.flatten(0, 1))), plane)
    light = light.unflatten(0, (batch, frames))
    rates = 40 / bins * light * 2 * torch.rand(batch, frames, bins, *plane, generator=generator)
    return rgb, torch.poisson(rates, generator=generator)
