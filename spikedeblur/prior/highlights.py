"""Light that a frame could not hold, given back by the spikes.

Where a frame is clipped it says only how bright it is at least. Spikes add up the same light over
the exposure: once it is known from all the rest how many of them a unit of light makes, their count
tells what is missing. They know no colours, so it goes to the channels that are clipped.

Shape suffixes: H and W frame pixels, h and w spike pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spikedeblur.prior.evidence import LogStatistics
from spikedeblur.prior.photometry import COUNT_VARIANCE, grey
from spikedeblur.prior.planes import resize
from spikedeblur.recording.light import LUMINANCE_WEIGHTS

FEWEST_KNOWN = 0.02  # of the frame: less tells nothing of how many spikes light makes
LEAST_ERROR, MOST_ERROR = 0.03, 0.25  # relative, of a spike pixel's light; above it, another scene
SURELY_BRIGHTER = (
    2.0,
    4.0,
)  # errors by which spikes exceed the frame: nothing is believed, all of it is
LEAST_WEIGHT = 0.15  # of clipped channels in luminance: blue alone would be mostly noise
BRIGHTEST = 64.0  # of white
NEARLY_ALL_TICKS = 0.97  # of the spikes that a pixel can fire, which then say nothing


@torch.no_grad()
def light_given_back(
    light_3HW: Tensor, clipped_3HW: Tensor, count_hw: Tensor, most: float | None = None
) -> Tensor:
    """Complete a frame's linear light, which may then exceed what it could hold: (3, H, W).

    clipped: where a channel says only how bright it is at least, bool. count: spikes of the
    exposure over the same field. most: that a pixel can fire in it, None if that is not known. The
    light itself where the spikes tell nothing, and where they do not resemble the frame.
    """
    luminance = grey(light_3HW[None])
    plane, size = count_hw.shape, light_3HW.shape[-2:]
    count, seen = count_hw[None, None], resize(luminance, plane)
    share = resize(clipped_3HW.any(dim=0).to(light_3HW)[None, None], plane)
    fires = (count < NEARLY_ALL_TICKS * (most or float("inf"))).to(light_3HW)
    known = LogStatistics.of(seen, count).valid * (share == 0) * fires
    if known.mean() < FEWEST_KNOWN:
        return light_3HW
    per_light = (known * seen * count).sum() / (known * seen.square()).sum()
    told = count / per_light
    off = (told / seen.clamp(min=1e-4)).clamp(min=1e-3).log()[known > 0]
    error = 1.48 * float(off.abs().median())  # the standard deviation of a normal distribution
    if error > MOST_ERROR:
        return light_3HW
    of_count = COUNT_VARIANCE / count.clamp(min=1).square()
    expected = (max(error, LEAST_ERROR) ** 2 + of_count).sqrt() * seen
    excess = fires * (told - seen).clamp(0, BRIGHTEST)
    begins, all_of_it = SURELY_BRIGHTER
    excess = excess * ((excess / expected - begins) / (all_of_it - begins)).clamp(0, 1)
    missing = resize(excess * (share > 0), size) / resize(share, size).clamp(min=0.25)
    weight = (clipped_3HW * light_3HW.new_tensor(LUMINANCE_WEIGHTS)[:, None, None]).sum(dim=0)
    missing = missing[0, 0] * (weight > LEAST_WEIGHT) / weight.clamp(min=LEAST_WEIGHT)
    return light_3HW + clipped_3HW * missing
