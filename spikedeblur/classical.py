"""The methods without weights: TFP, TFI, SDM and joint inversion of a frame and its spikes.

A spike pixel counts light as a video pixel does, only in time as well. So the rate of spikes
around one instant is an image of that instant (TFP: texture from playback, TFI: texture from
inter-spike intervals; Zhu et al., ICME 2019), and it says how each video pixel's light, summed
over the exposure, was spread in time (SDM: sharp = blurry x rate / mean rate, in linear light).
Spikes also tell the path of every point, and with it one picture explains frame and spikes (joint).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import UsageError
from spikedeblur.recording.light import linear_to_srgb, relative_luminance, srgb_to_linear
from spikedeblur.recording.resample import blur, resize_planes
from spikedeblur.vocabulary import PRIOR_SPIKES, SDM_WINDOWS

if TYPE_CHECKING:
    from torch import Tensor

    from spikedeblur.prior.intervals import CumulativeCounts

__all__ = ["grey_frame", "joint", "sdm", "spike_light", "spike_rate", "tfi", "tfp"]

Float32Array = NDArray[np.float32]

RATE_SMOOTHING = 0.5  # spike pixels; also what bilinear enlarging of the rate takes for granted
RATIO_RANGE = (0.1, 8.0)


def sdm(
    frame: Float32Array, counts: Float32Array, target: float = 0.0, window: float | None = None
) -> Float32Array:
    """Spike-modulated deblurring of one frame -> sharp frame at `target`, (H, W, 3) sRGB [0, 1].

    frame: (H, W, 3) float32 sRGB in [0, 1]. counts: (K, Hs, Ws) spikes per bin of its exposure,
    over the same field of view. target: instant in [-0.5, 0.5] of the exposure. window: part of
    the exposure to take rates over, (0, 1]; None lets noise and blur decide pixel by pixel.
    Where there are no spikes the frame stays as it is.
    """
    if window is None:
        frame, ratio = _blended_ratio(frame, counts, target)
    else:
        ratio = 1 + _windowed_change(counts, target, window) / (_mean_rate(counts) + PRIOR_SPIKES)
        ratio = resize_planes(ratio, frame.shape[:2])
    sharp = srgb_to_linear(frame) * np.clip(ratio, *RATIO_RANGE)[..., None]
    return linear_to_srgb(np.clip(sharp, 0, 1)).astype(np.float32)


def joint(frame: Float32Array, counts: Float32Array, target: float = 0.0) -> Float32Array:
    """Invert frame and spikes jointly -> sharp frame at `target`, (H, W, 3) sRGB [0, 1].

    Arguments as for `sdm`. The method `joint` of a video solves with both neighbours, too.
    """
    from spikedeblur.prior.frames import ReadFrame, joint_frame

    _check(target)
    sharp = joint_frame(ReadFrame.of_arrays(frame, counts), {}, target)
    picture: Float32Array = sharp.permute(1, 2, 0).numpy()
    return picture


def tfp(
    frame: Float32Array, counts: Float32Array, target: float = 0.0, window: float | None = None
) -> Float32Array:
    """Texture from playback: the spike rate at `target` as a grey frame, (H, W, 3) sRGB [0, 1].

    Arguments as for `sdm`; the frame lends its size and its mean luminance.
    """
    return grey_frame(spike_rate(counts, target, window), frame)


def tfi(frame: Float32Array, spikes: NDArray[np.bool_], tick: int) -> Float32Array:
    """Texture from intervals: one over the ticks between the spikes around `tick`, as a grey frame.

    frame: (H, W, 3) float32 sRGB, lends its size and mean luminance. spikes: (N, Hs, Ws) bool.
    tick: in [0, N). Where no spike is seen on one side, the end of the stream stands for it.
    """
    return grey_frame(spike_light(spikes, tick), frame)


def spike_light(spikes: NDArray[np.bool_], tick: int) -> Float32Array:
    """One over the ticks between the spikes around `tick`: (N, Hs, Ws) bool -> (Hs, Ws) float32."""
    ticks = len(spikes)
    if not 0 <= tick < ticks:
        raise UsageError(f"tick outside the spikes ({tick} of {ticks} seen) - give one inside")
    before = _nearest_spike(spikes[tick::-1])
    after = _nearest_spike(spikes[tick + 1 :]) + 1
    light: Float32Array = np.reciprocal((before + after).astype(np.float32))
    return light


def spike_rate(
    counts: Float32Array, target: float = 0.0, window: float | None = None
) -> Float32Array:
    """Rate around `target`, in spikes per exposure: counts (K, Hs, Ws) -> (Hs, Ws) float32."""
    if window is not None:
        positive: Float32Array = np.maximum(
            _mean_rate(counts) + _windowed_change(counts, target, window), 0
        )
        return positive
    from spikedeblur.prior.sdm import blended_rate

    charge, windows, time = _as_network(counts, target)
    count = charge.counts.sum(dim=1, keepdim=True)
    total, change = blended_rate(charge.steady_light(), count, windows, time)
    rate: Float32Array = (total + change).clamp(min=0)[0, 0].numpy()
    return rate


def _blended_ratio(
    frame: Float32Array, counts: Float32Array, target: float
) -> tuple[Float32Array, Float32Array]:
    """The frame as it stands at the target, and sharp over it (H, W): the first candidate.

    Windows are blended pixel by pixel; where nothing moves the ratio is 1.
    """
    import torch  # not needed for a window of one length

    from spikedeblur.prior import photometry, planes
    from spikedeblur.prior.evidence import LogStatistics
    from spikedeblur.prior.recentring import MotionField
    from spikedeblur.prior.sdm import sdm_ratio

    charge, windows, time = _as_network(counts, target)
    count_ratio: Tensor | float = 1.0
    if target:
        pictures = torch.from_numpy(np.require(frame.transpose(2, 0, 1), np.float32, ["C", "W"]))
        count = charge.counts.sum(dim=1)
        light = photometry.luminance(pictures[None], count.shape[-2:])
        exponent = LogStatistics.of(light, count[None]).exponent()
        compensated = MotionField.of(charge.smoothed_light(), time).of_frames(
            pictures[None], exponent
        )
        there = compensated.frames()
        count_ratio = compensated.count_ratio(there, pictures[None])
        frame = there[0].permute(1, 2, 0).numpy()
    log_ratio = planes.resize(
        sdm_ratio(charge, windows, time, count_ratio).log(), frame.shape[:2], up="bicubic"
    )
    return frame, log_ratio.exp()[0, 0].numpy()


def _as_network(counts: Float32Array, target: float) -> tuple[CumulativeCounts, Tensor, Tensor]:
    """CumulativeCounts of one exposure, windows in bins, target time (1,): what `prior` wants."""
    import torch

    from spikedeblur.prior.intervals import CumulativeCounts

    _check(target)
    windows = torch.tensor([len(counts) * part for part in SDM_WINDOWS])
    writable = np.require(counts, np.float32, ["C", "W"])  # as torch wants it
    return CumulativeCounts.of(torch.from_numpy(writable)[None]), windows, torch.tensor([target])


def _check(target: float, window: float = 1) -> None:
    if not 0 < window <= 1 or not -0.5 <= target <= 0.5:
        raise UsageError(
            f"no such window ({window} of the exposure around {target:g} seen)"
            " - give a length in (0, 1] and a target in [-0.5, 0.5]"
        )


def _mean_rate(counts: Float32Array) -> Float32Array:
    """Spikes of the exposure: (K, Hs, Ws) -> (Hs, Ws)."""
    return blur(counts.sum(axis=0), RATE_SMOOTHING)


def _windowed_change(counts: Float32Array, target: float, length: float) -> Float32Array:
    """Change of rate in one window: `length` of the exposure around the target, moved inside."""
    _check(target, length)
    bins = len(counts)
    first = min(max((target + 0.5 - length / 2) * bins, 0), (1 - length) * bins)
    edges = np.arange(bins + 1)
    overlap = np.minimum(edges[1:], first + length * bins) - np.maximum(edges[:-1], first)
    weights = np.clip(overlap, 0, 1) / length - 1
    change: Float32Array = np.tensordot(weights.astype(np.float32), counts, axes=1)
    return blur(change, RATE_SMOOTHING)


def grey_frame(light: Float32Array, frame: Float32Array) -> Float32Array:
    """Linear light of the spike plane -> grey sRGB frame with the mean luminance of `frame`."""
    enlarged = resize_planes(light, frame.shape[:2])
    mean = relative_luminance(srgb_to_linear(frame)).mean()
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
