"""What the network is given of the spikes: read frame by frame, on planes that suit the frames'.

Shape suffixes: B clips, T frames, N = B * T, K bins, h and w pixels of the plane that the spikes
are brought onto, the frames' over a power of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from spikedeblur.models.intervals import Charge
from spikedeblur.models.pieces import by_pieces
from spikedeblur.models.planes import moved, on_frame_plane, resize
from spikedeblur.models.prior import SpikePrior, relative_rates
from spikedeblur.models.recentring import Recentring
from spikedeblur.models.registration import misplacement


@dataclass(frozen=True)
class Reading:
    """Of N exposures: changes of rate (N, K, *net_size), spikes (N, 1, h, w) and, with a prior,
    its candidates (N, M, h, w) and what brings the frames to the target time, if they are not.
    """

    rates: Tensor
    counts: Tensor
    log_ratios: Tensor | None = None
    recentring: Recentring | None = None


def read(rgb_BT3HW: Tensor, voxels_BTKhw: Tensor, target_time_N: Tensor, *, size: tuple[int, int],
         net_size: Sequence[int], coarsest: int, prior: SpikePrior | None) -> Reading:
    """Read the spikes of padded frames sRGB in [0, 1], of which `size` (H, W) is not padding.

    `net_size` (H/f, W/f) is the network's plane, `coarsest` what it divides frames by.
    """
    clips, frames, _, height, width = rgb_BT3HW.shape
    place = partial(on_frame_plane, size=size, padded=(height, width), coarsest=coarsest)
    voxels = voxels_BTKhw.flatten(0, 1)

    def piece(part: slice) -> tuple[Tensor, ...]:
        # Before any resampling: neighbours' spikes do not fire together.
        charge = Charge.of(voxels[part].float()).on(place)
        if shift.any():
            charge = charge.on(lambda planes: moved(planes, -shift[part]).clamp(min=0))
        rates = resize(relative_rates(charge.light()), net_size)
        count = charge.counts.sum(dim=1, keepdim=True)
        if prior is None:
            return rates, count
        log_ratios, recentring = prior(charge, target_time_N[part])
        if recentring is None:
            return rates, count, log_ratios
        return rates, count, log_ratios, recentring.way, recentring.trust

    with torch.autocast(rgb_BT3HW.device.type, enabled=False):
        total = place(voxels_BTKhw.sum(dim=2).flatten(0, 1)[:, None].float())
        factor = height // total.shape[-2]
        rows, columns = max(1, size[0] // factor), max(1, size[1] // factor)
        shift = misplacement(rgb_BT3HW[..., : rows * factor, : columns * factor],
                             total[..., :rows, :columns].unflatten(0, (clips, frames)))
        shift = shift.repeat_interleave(frames, dim=0)[:, :, None, None]
        rates, counts, *rest = by_pieces(piece, clips * frames, (height, width))
    return Reading(rates, counts, rest[0] if rest else None,
                   Recentring(*rest[1:]) if len(rest) > 1 else None)
