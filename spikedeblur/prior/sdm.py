"""What the spikes alone say of the sharp frame: candidates by SDM, and the choice among them.

Light in a spike pixel and light in a video pixel are the same light, so in linear light
sharp(t) = blurry x rate(around t) / rate(whole exposure). No single window of time is right: a
short one is noisy, a long one blurs. Candidates of several windows and smoothings are made here,
and one that blends windows by their expected error; the network's head weighs them at every pixel.

Everything is a ratio to the pixel's own exposure, so neither the sensor's gain nor its
fixed-pattern noise reaches the network. What the division hides, on how many spikes a rate
stands, is given back as the logarithm of the count.

Shape suffixes: N frames, K bins, M candidates, h and w pixels of the spike plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from spikedeblur.prior.evidence import LogStatistics, linearity, mismatch
from spikedeblur.prior.intervals import CumulativeCounts, rates
from spikedeblur.prior.photometry import NEIGHBOURHOOD, gaussian_blur
from spikedeblur.prior.planes import resize
from spikedeblur.vocabulary import PRIOR_SPIKES

MAX_LOG_RATIO = 2.5
# Of a window's steadied light, in spikes squared: jitter and the width of bins leave so much.
STEADIED_VARIANCE = 1 / 200
NOISE_FACTOR = 1.8  # a change must exceed so many times the variance of noise to count as one


def relative_rates(light_NKhw: Tensor) -> Tensor:
    """Each bin's light over the mean of the pixel's exposure, minus 1; 0 without spikes."""
    bins = light_NKhw.shape[1]
    mean = light_NKhw.mean(dim=1, keepdim=True)
    floor = PRIOR_SPIKES / bins
    return ((light_NKhw + floor) / (mean + floor)).clamp(max=8.0) - 1.0


def log_count(counts_NKhw: Tensor) -> Tensor:
    """log2 of 1 + the pixel's spikes of the exposure, scaled to about [0, 1]: (N, 1, h, w)."""
    return torch.log2(1 + counts_NKhw.sum(dim=1, keepdim=True)) / 8


def blended_change(changes_NMhw: Tensor, counts_N1hw: Tensor, lengths: Tensor) -> Tensor:
    """Blend the windows' changes of rate at each pixel by their expected squared error.

    changes: rate in each window less the mean rate, spikes per exposure; lengths (M,): parts of
    the exposure, ascending, the last 1 (whose change is zero); counts: spikes of the exposure.
    The error is the variance of steadied light plus squared bias: what of the difference to every
    shorter window noise does not explain (after Lepski's rule). Returns (N, 1, h, w).
    """
    variances = STEADIED_VARIANCE / lengths.square()
    variances = torch.where(lengths < 1, variances, torch.zeros_like(variances))
    # Few spikes make noise that comes in lumps: its local energy strays further from its mean.
    lumps = 1 / (gaussian_blur(counts_N1hw, NEIGHBOURHOOD) + PRIOR_SPIKES)
    noise_factor = NOISE_FACTOR * (1 + lumps)
    weights = []
    for j in range(len(lengths)):
        squared_bias = torch.zeros_like(counts_N1hw)
        if j:
            difference = (changes_NMhw[:, j : j + 1] - changes_NMhw[:, :j]).square()
            noise = (variances[j] + variances[:j])[:, None, None]
            excess = gaussian_blur(difference, NEIGHBOURHOOD) - noise_factor * noise
            squared_bias = excess.amax(dim=1, keepdim=True).clamp(min=0)
        weights.append(1 / (squared_bias + variances[j] + 0.001))
    weight = torch.cat(weights, dim=1)
    return (weight * changes_NMhw).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)


def blended_rate(
    light_NKhw: Tensor, counts_N1hw: Tensor, windows: Tensor, target_time_N: Tensor
) -> tuple[Tensor, Tensor]:
    """Light of the exposure and how much more or less of it falls around the target time.

    Both (N, 1, h, w) in spikes per exposure. `light` is each bin's light, `counts` the spikes
    of the exposure. Windows (M,) are lengths in bins, ascending; each pixel blends them, and the
    whole exposure, by their expected errors (`blended_change`).
    """
    windowed = rates(light_NKhw, windows, target_time_N)
    lengths = (windows / light_NKhw.shape[1]).clamp(max=1)
    lengths = torch.cat([lengths, lengths.new_ones(1)])
    total = windowed[:, -1:]
    return total, blended_change(windowed - total, counts_N1hw, lengths)


def sdm_ratio(
    charge: CumulativeCounts,
    windows: Tensor,
    target_time_N: Tensor,
    count_ratio: Tensor | float = 1.0,
) -> Tensor:
    """Sharp over blurry (N, 1, h, w) by spikes alone.

    `count_ratio` is what compensating the blurry frame did to its counts.
    """
    count = charge.counts.sum(dim=1, keepdim=True)
    total, change = blended_rate(charge.steady_light(), count, windows, target_time_N)
    return (total + change + PRIOR_SPIKES) / (total * count_ratio + PRIOR_SPIKES)


@dataclass(frozen=True)
class Candidates:
    """What the prior tells of N frames, on the spike plane.

    `log_ratios` (N, M, h, w) of the candidates, sharp over blurry; `linearity` (N,) and `mismatch`
    (N, 1, h, w) as in `evidence`, None where the configuration leaves them out.
    """

    log_ratios: Tensor
    linearity: Tensor | None = None
    mismatch: Tensor | None = None

    def of(self, frames: slice) -> Candidates:
        """What is told of some of the frames."""
        return Candidates(
            self.log_ratios[frames],
            None if self.linearity is None else self.linearity[frames],
            None if self.mismatch is None else self.mismatch[frames],
        )

    def on_plane(self, size: Sequence[int]) -> Candidates:
        """The same, resized to (H, W); the blend, which has little noise, by a sharper kernel."""
        blend = resize(self.log_ratios[:, :1], size, up="bicubic")
        ratios = torch.cat([blend, resize(self.log_ratios[:, 1:], size)], dim=1)
        return replace(
            self,
            log_ratios=ratios,
            mismatch=None if self.mismatch is None else resize(self.mismatch, size),
        )

    def extra_channels(self, size: Sequence[int]) -> list[Tensor]:
        """What is told beside the ratios, as planes (N, 1, *size)."""
        channels = []
        if self.linearity is not None:
            channels.append(self.linearity[:, None, None, None].expand(-1, 1, *size))
        if self.mismatch is not None:
            channels.append(resize(self.mismatch, size))
        return channels


class SDMCandidates(nn.Module):
    """Candidate ratios sharp / blurry: the blend first, then windows x smoothings. No parameters.

    windows: lengths in bins, ascending; smoothings: sigmas in spike pixels. with_linearity: find
    from the clip whether light was added linearly or encoded; with_mismatch: and where the spikes
    are not of the frame's scene.
    """

    windows: Tensor

    def __init__(
        self,
        windows: Sequence[float],
        smoothings: Sequence[float],
        *,
        with_linearity: bool = False,
        with_mismatch: bool = False,
    ) -> None:
        super().__init__()
        self.smoothings = smoothings
        self.with_linearity, self.with_mismatch = with_linearity, with_mismatch
        lengths = torch.tensor(windows, dtype=torch.float32)
        self.register_buffer("windows", lengths, persistent=False)
        self.candidates = 1 + len(windows) * len(smoothings)

    @property
    def extra_channels(self) -> int:
        """Number of planes that `Candidates` holds beside the ratios."""
        return int(self.with_linearity) + int(self.with_mismatch)

    def build(self, stats: LogStatistics, log_ratios: Tensor) -> Candidates:
        """What both cameras saw, and `self`'s candidates -> what is known beforehand."""
        frames = stats.count.shape[1]
        return Candidates(
            log_ratios,
            linearity(stats).repeat_interleave(frames) if self.with_linearity else None,
            mismatch(stats) if self.with_mismatch else None,
        )

    def forward(
        self, charge: CumulativeCounts, target_time_N: Tensor, count_ratio: Tensor | float = 1.0
    ) -> Tensor:
        """CumulativeCounts of N exposures, target times (N,) -> log ratios (N, M, h, w), clamped.

        `count_ratio` is what compensating the blurry frame's motion did to its counts.
        """
        ratios = [sdm_ratio(charge, self.windows, target_time_N, count_ratio)]
        planes = rates(charge.light(), self.windows, target_time_N)
        planes = torch.cat([planes[:, :-1], planes[:, -1:] * count_ratio], dim=1)
        for sigma in self.smoothings:
            smooth = gaussian_blur(planes, sigma) if sigma else planes
            ratios.append((smooth[:, :-1] + PRIOR_SPIKES) / (smooth[:, -1:] + PRIOR_SPIKES))
        return torch.cat(ratios, dim=1).log().clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
