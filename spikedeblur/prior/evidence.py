"""What frames and spikes tell of each other before any is restored.

Over an exposure both cameras gathered the same light, motion and all. So the count of a pixel is a
function of the frame's luminance there: which function tells how light was added up, and where no
function fits, the spikes are not of this scene.

Shape suffixes: B clips, T frames, K bins, N = B * T, h and w pixels of the spike plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spikedeblur.prior.photometry import COUNT_VARIANCE, NEIGHBOURHOOD, gaussian_blur
from spikedeblur.prior.planes import resize

MIN_LUMINANCE, MAX_LUMINANCE = (
    0.01,
    0.8,
)  # linear light between which a frame's encoding can be trusted
MIN_SPIKES = 2.0
# Slopes of log count over log luminance: of encoded values, of light, and the middle of the two.
ENCODED_SLOPE, LINEAR_SLOPE, MIDDLE_SLOPE = 1 / 2.2, 1.0, 0.72
FLAT_VARIANCE = 0.05  # of log luminance: tells little of the slope
FIXED_PATTERN = 0.08  # relative spread of the gain of a sensor's pixels
AVERAGED = 0.1  # what smoothing leaves of the variance of noise
BELIEVED_FROM_TO = (0.4, 0.7)  # from where on spikes are believed less; where they are not any more
CLIP_TRUST = 0.01  # variance of log light below which a place is judged by the whole clip


@dataclass(frozen=True)
class LogStatistics:
    """What both cameras saw of each exposure, on the spike plane: (B, T, h, w) each.

    Logarithms of the frame's linear luminance and of the count; `valid` is 1 where both can be
    relied on, neither dark nor saturated, and 0 elsewhere.
    """

    luminance: Tensor
    count: Tensor
    valid: Tensor

    @classmethod
    def of(cls, linear_BThw: Tensor, count_BThw: Tensor) -> LogStatistics:
        """Linear luminance of the frames (`luminance`), and the spikes of their exposures."""
        clear = (
            (count_BThw > MIN_SPIKES)
            & (linear_BThw > MIN_LUMINANCE)
            & (linear_BThw < MAX_LUMINANCE)
        )
        return cls(
            linear_BThw.clamp(min=MIN_LUMINANCE).log(),
            count_BThw.clamp(min=MIN_SPIKES).log(),
            clear.to(linear_BThw),
        )

    def slope(self) -> tuple[Tensor, Tensor]:
        """Least-squares slope of count over luminance, and the variance of luminance: (B,) each."""
        number = self.valid.flatten(1).sum(dim=1).clamp(min=1)
        x, y = self._centred(self.luminance, number), self._centred(self.count, number)
        spread = x.square().sum(dim=1)
        return (x * y).sum(dim=1) / spread.clamp(min=1e-6), spread / number

    def exponent(self) -> Tensor:
        """Count rises with this power of luminance, between what encoded and linear do: (B,)."""
        return self.slope()[0].clamp(ENCODED_SLOPE, LINEAR_SLOPE)

    def _centred(self, values_BThw: Tensor, number_B: Tensor) -> Tensor:
        clear, values = self.valid.flatten(1), values_BThw.flatten(1)
        return clear * (values - ((clear * values).sum(dim=1) / number_B)[:, None])


def linearity(stats: LogStatistics) -> Tensor:
    """Whether spikes count linear light (1) or sRGB-encoded values (-1); 0: cannot tell. (B,).

    A camera adds up light; the published sets averaged encoded frames and fired spikes on them.
    Over a clip, the logarithm of a pixel's count rises with that of the frame's linear luminance,
    with a slope of 1 in the one case and of about 1 / 2.2 in the other, whatever the gain. Where
    luminance hardly varies the slope means little.
    """
    slope, variance = stats.slope()
    return torch.tanh(6 * (slope - MIDDLE_SLOPE)) * variance / (variance + FLAT_VARIANCE)


def mismatch(stats: LogStatistics) -> Tensor:
    """How little of what either camera saw the other saw too: 0 all of it, 1 none. (N, 1, h, w).

    Structure is what stands out from the neighbourhood in the logarithm. Of the same scene, the
    structure of the counts is that of the luminance times the clip's slope; of unrelated scenes
    the difference holds the energy of both. What counting and a fixed pattern explain is taken
    off. A place without structure is judged by the rest of its clip.
    """
    slope = stats.exponent()[:, None, None, None]
    pair = torch.stack([slope * stats.luminance, stats.count], dim=2).flatten(0, 1)
    noise = FIXED_PATTERN**2 + COUNT_VARIANCE * (-2 * stats.count).exp()
    clear, noise = (_halved(part.flatten(0, 1)[:, None]) for part in (stats.valid, noise))
    structure = _structure(_halved(pair), clear)
    difference = (structure[:, :1] - structure[:, 1:]).square() - clear * AVERAGED * noise
    energies = torch.cat([difference, structure.square().sum(dim=1, keepdim=True)], dim=1)
    local = gaussian_blur(energies, NEIGHBOURHOOD)
    whole = energies.unflatten(0, stats.count.shape[:2]).mean(dim=(1, 3, 4))
    whole = _share(whole).repeat_interleave(stats.count.shape[1])[:, None, None, None]
    mismatches = _share(local + CLIP_TRUST * torch.cat([whole, torch.ones_like(whole)], dim=1))
    return resize(mismatches, stats.count.shape[-2:])


def believed(mismatch_N1hw: Tensor) -> Tensor:
    """Return how far spikes are believed, by how badly they match the frame: in [0, 1]."""
    begins, ends = BELIEVED_FROM_TO
    return ((ends - mismatch_N1hw) / (ends - begins)).clamp(0, 1)


def _halved(planes_Nchw: Tensor) -> Tensor:
    return functional.avg_pool2d(planes_Nchw, 2, ceil_mode=True, count_include_pad=False)


def _structure(planes_Nchw: Tensor, clear_N1hw: Tensor) -> Tensor:
    """Planes less the mean of their neighbourhood, 0 where they are not clear."""
    known = gaussian_blur(torch.cat([planes_Nchw * clear_N1hw, clear_N1hw], dim=1), NEIGHBOURHOOD)
    return clear_N1hw * (planes_Nchw - known[:, :-1] / known[:, -1:].clamp(min=1e-3))


def _share(energies: Tensor) -> Tensor:
    """Of (N, 2, ...) the first in parts of the second, in [0, 1]: (N, 1, ...)."""
    return (energies[:, :1] / energies[:, 1:].clamp(min=1e-6)).clamp(0, 1)
