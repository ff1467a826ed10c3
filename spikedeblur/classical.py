"""The methods without weights: TFP, TFI and SDM, on one frame and the spikes of its exposure.

A spike pixel counts light as a video pixel does, only in time as well. So the rate of spikes
around one instant is an image of that instant (TFP: texture from playback, TFI: texture from
inter-spike intervals; Zhu et al., ICME 2019), and it says how each video pixel's light, summed
over the exposure, was spread in time (SDM: sharp = blurry x rate / mean rate, in linear light).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import UsageError
from spikedeblur.light import linear_to_srgb, luminance, srgb_to_linear
from spikedeblur.resample import blur, resize

__all__ = ["grey", "sdm", "spike_light", "spike_rate", "tfi", "tfp"]

Floats = NDArray[np.float32]

# Parts of the exposure that a rate may be averaged over beside all of it, shortest first.
WINDOWS = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
SMOOTHING = 0.5  # spike pixels; also what bilinear enlarging of the rate takes for granted
PRIOR_SPIKES = 0.25  # added to both sides of the ratio, for pixels with hardly any spikes
RATIO_RANGE = (0.1, 8.0)


def sdm(
    frame: Floats,
    counts: Floats,
    target: float = 0.0,
    window: float | None = None,
) -> Floats:
    """Spike-modulated deblurring of one frame -> sharp frame at `target`, (H, W, 3) sRGB [0, 1].

    frame: (H, W, 3) float32 sRGB in [0, 1]. counts: (K, Hs, Ws) spikes per bin of its exposure,
    over the same field of view. target: instant in [-0.5, 0.5] of the exposure. window: part of
    the exposure to take rates over, (0, 1]; None lets noise and blur decide pixel by pixel.
    Where there are no spikes the frame stays as it is.
    """
    mean_rate, change = _rates(counts, target, window)
    ratio = 1 + change / (mean_rate + PRIOR_SPIKES)
    ratio = np.clip(resize(ratio, frame.shape[:2]), *RATIO_RANGE)
    sharp = srgb_to_linear(frame) * ratio[..., None]
    return linear_to_srgb(np.clip(sharp, 0, 1)).astype(np.float32)


def tfp(
    frame: Floats, counts: Floats, target: float = 0.0, window: float | None = None
) -> Floats:
    """Texture from playback: the spike rate at `target` as a grey frame, (H, W, 3) sRGB [0, 1].

    Arguments as for `sdm`; the frame lends its size and its mean luminance.
    """
    return grey(spike_rate(counts, target, window), frame)


def tfi(frame: Floats, spikes: NDArray[np.bool_], tick: int) -> Floats:
    """Texture from intervals: one over the ticks between the spikes around `tick`, as a grey frame.

    frame: (H, W, 3) float32 sRGB, lends its size and mean luminance. spikes: (N, Hs, Ws) bool.
    tick: in [0, N). Where no spike is seen on one side, the end of the stream stands for it.
    """
    return grey(spike_light(spikes, tick), frame)


def spike_light(spikes: NDArray[np.bool_], tick: int) -> Floats:
    """One over the ticks between the spikes around `tick`: (N, Hs, Ws) bool -> (Hs, Ws) float32."""
    ticks = len(spikes)
    if not 0 <= tick < ticks:
        raise UsageError(f"tick outside the spikes ({tick} of {ticks} seen) - give one inside")
    before = _nearest_spike(spikes[tick::-1])
    after = _nearest_spike(spikes[tick + 1 :]) + 1
    light: Floats = np.reciprocal((before + after).astype(np.float32))
    return light


def spike_rate(counts: Floats, target: float = 0.0, window: float | None = None) -> Floats:
    """Rate around `target`, in spikes per exposure: counts (K, Hs, Ws) -> (Hs, Ws) float32."""
    mean_rate, change = _rates(counts, target, window)
    positive: Floats = np.maximum(mean_rate + change, 0)
    return positive


def _rates(counts: Floats, target: float, window: float | None) -> tuple[Floats, Floats]:
    """Light of the exposure and what falls more or less of it around the target: (Hs, Ws) each.

    In spikes per exposure. Without a window, several are blended pixel by pixel, as the network's
    first candidate is (`models.prior.blended_rate`): where nothing moves the change is zero.
    """
    if not 0 < (1 if window is None else window) <= 1 or not -0.5 <= target <= 0.5:
        raise UsageError(f"no such window ({window} of the exposure around {target:g} seen)"
                         " - give a length in (0, 1] and a target in [-0.5, 0.5]")
    if window is not None:
        return blur(counts.sum(axis=0), SMOOTHING), _windowed_change(counts, target, window)
    import torch  # not needed for a window of one length

    from spikedeblur.models.intervals import Charge
    from spikedeblur.models.prior import blended_rate

    bins = len(counts)
    windows = torch.tensor([bins * part for part in WINDOWS])
    writable = np.require(counts, np.float32, ["C", "W"])  # as torch wants it
    charge = Charge.of(torch.from_numpy(writable)[None])
    total, change = blended_rate(charge, windows, torch.tensor([target]))
    return total[0, 0].numpy(), change[0, 0].numpy()


def _windowed_change(counts: Floats, target: float, length: float) -> Floats:
    """Change of rate in one window: `length` of the exposure around the target, moved inside."""
    bins = len(counts)
    first = min(max((target + 0.5 - length / 2) * bins, 0), (1 - length) * bins)
    edges = np.arange(bins + 1)
    overlap = np.minimum(edges[1:], first + length * bins) - np.maximum(edges[:-1], first)
    weights = np.clip(overlap, 0, 1) / length - 1
    change: Floats = np.tensordot(weights.astype(np.float32), counts, axes=1)
    return blur(change, SMOOTHING)


def grey(light: Floats, frame: Floats) -> Floats:
    """Linear light of the spike plane -> grey sRGB frame with the mean luminance of `frame`."""
    enlarged = resize(light, frame.shape[:2])
    mean = luminance(srgb_to_linear(frame)).mean()
    matched = enlarged * (mean / max(enlarged.mean(), np.finfo(np.float32).tiny))
    grey = linear_to_srgb(np.clip(matched, 0, 1)).astype(np.float32)
    return np.repeat(grey[..., None], 3, axis=-1)


def _nearest_spike(spikes: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Index of each pixel's first spike, (N, H, W) -> (H, W); N where it has none."""
    index = np.full(spikes.shape[1:], len(spikes), dtype=np.int32)
    waiting = np.ones(spikes.shape[1:], dtype=np.bool_)
    for n, plane in enumerate(spikes):
        index[plane & waiting] = n
        waiting &= ~plane
        if not waiting.any():
            break
    return index
