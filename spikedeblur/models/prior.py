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

import math

import torch
from einops import einsum
from torch import Tensor, nn
from torch.nn import functional

from spikedeblur.models.config import PriorConfig

# Spikes that every pixel is taken to have had at its mean rate: keeps ratios of dark pixels calm.
PRIOR_SPIKES = 0.3
MAX_LOG_RATIO = 2.5
GAMMA = 2.4
# An integrate-and-fire count between two instants is off by the difference of two remainders,
# each uniform in [0, 1).
COUNT_VARIANCE = 1 / 6
BLEND_SMOOTHING = 0.5  # spike pixels
NEIGHBOURHOOD = 2.5  # spike pixels over which noise and change are told apart
# Between the slopes 1 and 1 / 2.2 of `linearity`; variance of log luminance that tells little.
MIDDLE_SLOPE = 0.72
FLAT_VARIANCE = 0.05
MISTRUST = 1.8  # a change must exceed so many times the variance of noise to count as one


def window_weights(windows: Tensor, bins: int, target_time_N: Tensor) -> Tensor:
    """Overlap of each bin with windows around the target time: (N, len(windows), bins).

    `windows` are lengths in bins, `target_time_N` the instants in [-0.5, 0.5] of the exposure. A
    window that would leave the exposure is moved inside. Rows sum to the length of the window.
    """
    length = windows.clamp(max=bins)[None, :, None]
    centre = ((target_time_N + 0.5) * bins)[:, None, None]
    start = torch.minimum((centre - length / 2).clamp(min=0), bins - length)
    left = torch.arange(bins, device=target_time_N.device)
    overlap = torch.minimum(left + 1, start + length) - torch.maximum(left.to(start), start)
    return overlap.clamp(min=0)


def gaussian_taps(sigma: float) -> Tensor:
    """Weights of one axis of a Gaussian, three sigma to either side; they sum to one."""
    radius = math.ceil(3 * sigma)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    return taps / taps.sum()


def gaussian_blur(planes_Nchw: Tensor, sigma: float) -> Tensor:
    """Separable Gaussian over the last two axes, borders repeated."""
    taps = gaussian_taps(sigma).to(planes_Nchw)
    planes, channels, height, width = planes_Nchw.shape
    x = planes_Nchw.reshape(planes * channels, 1, height, width)
    x = functional.pad(x, (len(taps) // 2,) * 4, mode="replicate")
    x = functional.conv2d(functional.conv2d(x, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return x.reshape(planes, channels, height, width)


def relative_rates(counts_NKhw: Tensor) -> Tensor:
    """Each bin's rate over the mean rate of the pixel's exposure, minus 1; 0 without spikes."""
    bins = counts_NKhw.shape[1]
    mean = counts_NKhw.mean(dim=1, keepdim=True)
    floor = PRIOR_SPIKES / bins
    return ((counts_NKhw + floor) / (mean + floor)).clamp(max=8.0) - 1.0


def log_count(counts_NKhw: Tensor) -> Tensor:
    """log2 of 1 + the pixel's spikes of the exposure, scaled to about [0, 1]: (N, 1, h, w)."""
    return torch.log2(1 + counts_NKhw.sum(dim=1, keepdim=True)) / 8


def blended_change(changes_NMhw: Tensor, counts_N1hw: Tensor, lengths: Tensor) -> Tensor:
    """Blend the windows' changes of rate at each pixel by their expected squared error.

    changes: rate in each window less the mean rate, spikes per exposure; lengths (M,): parts of
    the exposure, ascending, the last 1 (whose change is zero); counts: spikes of the exposure.
    The error is the variance known from counting plus squared bias: what of the difference to
    every shorter window noise does not explain (after Lepski's rule). Returns (N, 1, h, w).
    """
    averaged = float(gaussian_taps(BLEND_SMOOTHING).square().sum()) ** 2
    variances = COUNT_VARIANCE * averaged / lengths.square()
    variances = torch.where(lengths < 1, variances, torch.zeros_like(variances))
    # Few spikes make noise that comes in lumps: its local energy strays further from its mean.
    lumps = 1 / (gaussian_blur(counts_N1hw, NEIGHBOURHOOD) + PRIOR_SPIKES)
    mistrust = MISTRUST * (1 + lumps)
    weights = []
    for j in range(len(lengths)):
        squared_bias = torch.zeros_like(counts_N1hw)
        if j:
            difference = (changes_NMhw[:, j : j + 1] - changes_NMhw[:, :j]).square()
            noise = (variances[j] + variances[:j])[:, None, None]
            excess = gaussian_blur(difference, NEIGHBOURHOOD) - mistrust * noise
            squared_bias = excess.amax(dim=1, keepdim=True).clamp(min=0)
        weights.append(1 / (squared_bias + variances[j] + 0.001))
    weight = torch.cat(weights, dim=1)
    return (weight * changes_NMhw).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)


class SpikePrior(nn.Module):
    """Candidate ratios sharp / blurry: the blend first, then windows x smoothings. No parameters.

    Windows are lengths in bins, ascending.
    """

    windows: Tensor

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.smoothings = config.SMOOTHINGS
        self.register_buffer("windows", torch.tensor(config.WINDOWS), persistent=False)
        self.candidates = 1 + len(config.WINDOWS) * len(config.SMOOTHINGS)

    def forward(self, counts_NKhw: Tensor, target_time_N: Tensor) -> Tensor:
        """Counts (N, K, h, w), target times (N,) -> log ratios (N, M, h, w), clamped."""
        bins = counts_NKhw.shape[1]
        lengths = self.windows.clamp(max=bins) / bins
        weights = window_weights(self.windows, bins, target_time_N) / lengths[:, None]
        rates = einsum(weights.to(counts_NKhw), counts_NKhw, "n m k, n k h w -> n m h w")
        total = counts_NKhw.sum(dim=1, keepdim=True)
        ratios = [self._blend(rates, total, lengths)]
        planes = torch.cat([rates, total], dim=1)
        for sigma in self.smoothings:
            smooth = gaussian_blur(planes, sigma) if sigma else planes
            ratios.append((smooth[:, :-1] + PRIOR_SPIKES) / (smooth[:, -1:] + PRIOR_SPIKES))
        return torch.cat(ratios, dim=1).log().clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)

    @staticmethod
    def _blend(rates_NMhw: Tensor, total_N1hw: Tensor, lengths: Tensor) -> Tensor:
        smooth = gaussian_blur(torch.cat([rates_NMhw, total_N1hw], dim=1), BLEND_SMOOTHING)
        total = smooth[:, -1:]
        whole = lengths.new_ones(1)
        change = blended_change(smooth - total, total_N1hw, torch.cat([lengths, whole]))
        return (total + change + PRIOR_SPIKES) / (total + PRIOR_SPIKES)


def to_linear(srgb: Tensor) -> Tensor:
    """sRGB in [0, 1] -> linear light (IEC 61966-2-1)."""
    curve = ((srgb.clamp(min=0) + 0.055) / 1.055) ** GAMMA
    return torch.where(srgb <= 0.04045, srgb / 12.92, curve)


def to_srgb(linear: Tensor) -> Tensor:
    """Linear light >= 0 -> sRGB (IEC 61966-2-1); not clamped above."""
    low = linear.clamp(min=1e-6)  # the power's slope is infinite at 0
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * low ** (1 / GAMMA) - 0.055)


def grey(rgb_N3hw: Tensor) -> Tensor:
    """Luma of sRGB frames with BT.709 weights: (N, 1, h, w)."""
    weights = torch.tensor([0.2126, 0.7152, 0.0722], device=rgb_N3hw.device, dtype=rgb_N3hw.dtype)
    return (rgb_N3hw * weights[:, None, None]).sum(dim=1, keepdim=True)


def linearity(rgb_BT3HW: Tensor, counts_BTKhw: Tensor) -> Tensor:
    """Whether spikes count linear light (1) or sRGB-encoded values (-1); 0: cannot tell. (B,).

    A camera adds up light; the published sets averaged encoded frames and fired spikes on them.
    Over a clip, the logarithm of a pixel's count rises with that of the frame's linear luminance,
    with a slope of 1 in the one case and of about 1 / 2.2 in the other, whatever the gain. Where
    luminance hardly varies the slope means little.
    """
    linear = grey(to_linear(rgb_BT3HW.flatten(0, 1)))
    counts = counts_BTKhw.flatten(0, 1).sum(dim=1, keepdim=True)
    linear = functional.adaptive_avg_pool2d(linear, (counts.shape[-2], counts.shape[-1]))
    clear = ((counts > 2) & (linear > 0.01) & (linear < 0.8)).float()
    batch = rgb_BT3HW.shape[0]
    clear, x, y = (part.reshape(batch, -1) for part in
                   (clear, linear.clamp(min=1e-3).log(), counts.clamp(min=1).log()))
    number = clear.sum(dim=1, keepdim=True).clamp(min=1)
    x, y = (clear * (part - (clear * part).sum(dim=1, keepdim=True) / number) for part in (x, y))
    spread = x.square().sum(dim=1)
    slope = (x * y).sum(dim=1) / spread.clamp(min=1e-6)
    variance = spread / number[:, 0]
    return torch.tanh(6 * (slope - MIDDLE_SLOPE)) * variance / (variance + FLAT_VARIANCE)


class CandidateHead(nn.Module):
    """Features and candidates -> the sharp frame.

    At every pixel a softmax weighs the candidates' ratios and the ratio 1 (the blurry frame); a
    further factor, free of the candidates, sharpens what none of them holds; the product
    multiplies the blurry frame in linear light and, since published sets averaged gamma-encoded
    frames, in gamma-encoded values too, a gate mixing the two; a residual in RGB carries what grey
    spikes cannot tell. It starts as the blended candidate, SDM that needs no training: the
    weights of its convolution are zero, its bias is for the first candidate.
    """

    BLEND_BIAS = 5.0
    LINEAR_BIAS = 2.0
    LINEARITY_GAIN = 4.0

    def __init__(self, channels: int, candidates: int, stem: int) -> None:
        super().__init__()
        self.candidates = candidates
        outputs = candidates + 1 + 1 + 1 + 3
        self.conv = nn.Conv2d(channels, outputs * stem**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(stem)
        nn.init.zeros_(self.conv.weight)
        bias = torch.zeros(outputs)
        bias[0] = self.BLEND_BIAS
        bias[candidates + 2] = self.LINEAR_BIAS
        with torch.no_grad():
            assert self.conv.bias is not None
            self.conv.bias.copy_(bias.repeat_interleave(stem**2))

    def forward(
        self, features_NChw: Tensor, blurry_N3HW: Tensor, log_ratios_NMHW: Tensor,
        linearity_N: Tensor | None = None,
    ) -> Tensor:
        """The sharp frames (N, 3, H, W), not clamped; `linearity_N` moves the gate beforehand."""
        outputs = self.shuffle(self.conv(features_NChw)).float()
        sizes = [self.candidates + 1, 1, 1, 3]
        logits, factor, gate, residual = outputs.split(sizes, dim=1)
        if linearity_N is not None:
            gate = gate + self.LINEARITY_GAIN * linearity_N[:, None, None, None]
        weights = logits.softmax(dim=1)
        ratio = (weights[:, :-1] * log_ratios_NMHW.exp()).sum(dim=1, keepdim=True) + weights[:, -1:]
        ratio = ratio * factor.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
        in_linear = to_srgb(to_linear(blurry_N3HW) * ratio)
        in_gamma = blurry_N3HW * ratio
        return torch.lerp(in_gamma, in_linear, gate.sigmoid()) + residual
