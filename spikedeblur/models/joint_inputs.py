"""The tensors that the joint network restores frames from, on sizes that it divides.

None of it depends on weights: a graph of the network that runs elsewhere is given the same.

Shape suffixes: N frames of one or several clips, P pictures, M maps, K bins, H and W frame pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikedeblur.prior.features import PriorFeatures
from spikedeblur.prior.planes import pad_bottom_right, resize


@dataclass(frozen=True)
class NetworkInputs:
    """What speaks for each pixel of N frames, H and W even and padded by mirroring.

    pictures (N, P, 3, H, W), sRGB; maps (N, M + 1, H, W), the last one the target time; rates
    (N, K, H / 2, W / 2).
    """

    pictures: Tensor
    maps: Tensor
    rates: Tensor

    @classmethod
    def of(
        cls, features: PriorFeatures, target_N: Tensor, padded: tuple[int, int]
    ) -> NetworkInputs:
        """Pad features to `padded`, (H, W), and lay the target time of each frame beside them."""
        height, width = features.pictures.shape[-2:]
        moment = target_N[:, None, None, None].expand(-1, 1, *padded)
        rates = resize(features.rates, (-(-height // 2), -(-width // 2)))
        return cls(
            pictures=pad_bottom_right(features.pictures, *padded),
            maps=torch.cat([pad_bottom_right(features.maps, *padded), moment], dim=1),
            rates=pad_bottom_right(rates, padded[0] // 2, padded[1] // 2),
        )
