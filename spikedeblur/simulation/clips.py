"""Random training clips: what a video camera and a spike camera see of one random scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from spikedeblur.recording.light import LUMINANCE_WEIGHTS
from spikedeblur.simulation.camera import (
    ExposedLight,
    SensorProjection,
    VideoCamera,
    area_weights,
    as_srgb,
    instants_needed,
    integrate_exposure,
)
from spikedeblur.simulation.composition import Tone, random_scene, random_tone, random_view
from spikedeblur.simulation.photos import PhotoLibrary
from spikedeblur.simulation.spiking import SpikeSensor, bin_counts, random_sensor


@dataclass(frozen=True)
class Conditions:
    """The range of everything that is drawn for a clip; pairs are (least, largest).

    Shares are probabilities. A range of one value fixes it.
    """

    blur_px: tuple[float, float] = (2.0, 36.0)
    """Motion during an exposure, frame pixels; drawn evenly in its logarithm."""
    still: float = 0.06
    """Share of clips in which nothing moves."""
    objects: tuple[int, int] = (0, 4)
    photo_scale: tuple[float, float] = (0.4, 1.0)
    """Frame pixels per photograph pixel."""
    exposure: tuple[float, float] = (0.2, 1.0)
    """ExposedLight in frame intervals."""
    exposure_stops: tuple[float, float] = (-1.7, 1.0)
    """Brightness of the scene: photo light times 2 to this power."""
    gamma_space: float = 0.35
    """Share of clips whose light is averaged, and fired on, sRGB-encoded."""
    ticks: tuple[float, float] = (20.0, 1000.0)
    """Spike ticks in an exposure, drawn evenly in their logarithm."""
    usual_ticks: tuple[int, ...] = (56, 64, 72, 80, 88, 97, 333, 667)
    usual: float = 0.5
    """Share of clips with one of `usual_ticks`, tick and exposure beginning together."""
    rate: tuple[float, float] = (0.05, 0.6)
    """Mean spikes per tick, drawn evenly in its logarithm."""
    fewest_spikes: float = 3.0
    """Mean spikes in an exposure, at least, where the rate's range allows: fewer show nothing."""
    ratios: tuple[float, ...] = (0.5, 1.0, 0.25, 0.390625, 0.625)
    """Spike pixels per frame pixel, along a side."""
    ratio_shares: tuple[float, ...] = (0.46, 0.12, 0.3, 0.06, 0.06)
    misaligned: float = 0.35
    """Share of clips with the spike plane off by up to a frame pixel and 3 % of the exposure."""
    noise: tuple[float, float] = (0.0, 0.012)
    """Spread of the video's noise at light 0.2, in linear light."""
    compressed: float = 0.2
    """Share of clips with the losses of a video codec."""
    centred: float = 0.35
    """Share of clips whose target is the middle of the exposure; else as `random_target` draws."""


@dataclass(frozen=True)
class Clip:
    """A clip of T frames and what is to be made of it; all pictures sRGB in [0, 1], float32.

    `blurry` (T, 3, H, W) as the camera's file holds it, in steps of 1/255; `clean` the same
    without noise and rounding; `sharp` (T, 3, H, W) the view at `target_time`, in exposures from
    the middle; `voxels` (T, K, Hs, Ws) spike counts in K equal bins of each frame's own exposure.
    """

    blurry: torch.Tensor
    clean: torch.Tensor
    sharp: torch.Tensor
    voxels: torch.Tensor
    target_time: float


def log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """A value drawn evenly in its logarithm."""
    return float(np.exp(rng.uniform(*np.log(bounds))))


def random_ratio(rng: np.random.Generator, conditions: Conditions) -> float:
    """Spike pixels per frame pixel along a side."""
    shares = np.array(conditions.ratio_shares)
    return float(rng.choice(conditions.ratios, p=shares / shares.sum()))


def spike_size(size: tuple[int, int], ratio: float) -> tuple[int, int]:
    """Rows and columns of the spike plane that covers a frame of `size` (H, W)."""
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def random_clip(
    photos: PhotoLibrary,
    rng: np.random.Generator,
    *,
    size: tuple[int, int],
    clip_len: int,
    bins: int,
    ratio: float,
    conditions: Conditions | None = None,
) -> Clip:
    """Draw a clip of `clip_len` frames of `size` (H, W), spikes at `ratio` of it, in `bins` bins.

    The clip is a function of the photographs and the state of `rng` alone.
    """
    conditions = conditions or Conditions()
    length = rng.uniform(*conditions.exposure)
    middles = np.arange(clip_len) + 0.5
    starts, stops = middles - length / 2, middles + length / 2
    tone = random_tone(rng, bool(rng.random() < conditions.gamma_space), conditions.exposure_stops)
    scene = random_scene(
        lambda: random_view(photos.pick(rng), rng),
        rng,
        size=size,
        starts=starts,
        stops=stops,
        blur_px=conditions.blur_px,
        still=conditions.still,
        objects=conditions.objects,
        scales=conditions.photo_scale,
        tone=tone,
    )
    target = 0.0 if rng.random() < conditions.centred else random_target(rng)
    off = bool(rng.random() < conditions.misaligned)
    plane = random_plane(rng, size, ratio, off)
    exposures = [
        integrate_exposure(
            scene,
            start,
            stop,
            start + (0.5 + target) * (stop - start),
            instants_needed(distance),
            plane,
        )
        for start, stop, distance in zip(starts, stops, scene.slide(starts, stops), strict=True)
    ]
    mean = torch.stack([exposure.mean for exposure in exposures])
    instant = torch.stack([exposure.instant for exposure in exposures])
    return Clip(
        blurry=random_camera(rng, conditions, tone).develop(mean, tone.gamma_space, rng),
        clean=as_srgb(mean, tone.gamma_space),
        sharp=as_srgb(instant, tone.gamma_space),
        voxels=clip_voxels(rng, exposures, length, bins, off, conditions),
        target_time=target,
    )


def random_target(rng: np.random.Generator) -> float:
    """An instant of the exposure, in exposures from its middle: likelier the further off it is."""
    return float(0.5 * np.sqrt(rng.random()) * rng.choice([-1, 1]))


def random_plane(
    rng: np.random.Generator, size: tuple[int, int], ratio: float, off: bool
) -> SensorProjection:
    """A spike plane over the whole frame, seeing colours a little differently; or a bit `off`."""
    weights = np.array(LUMINANCE_WEIGHTS) * np.exp(rng.normal(0, 0.15, 3))
    shift = rng.uniform(-1, 1, 2) if off else np.zeros(2)
    rows, columns = (
        area_weights(outputs, inputs, float(amount))
        for outputs, inputs, amount in zip(spike_size(size, ratio), size, shift, strict=True)
    )
    return SensorProjection(
        torch.from_numpy((weights / weights.sum()).astype(np.float32)), rows, columns
    )


def random_camera(rng: np.random.Generator, conditions: Conditions, tone: Tone) -> VideoCamera:
    """Noise from none to a small sensor's in the dark; for some clips a codec's losses."""
    spread = rng.uniform(*conditions.noise) if rng.random() < 0.8 else 0.0
    compressed = rng.random() < conditions.compressed
    return VideoCamera(
        shot=spread**2 / 0.2,
        read=spread * rng.uniform(0, 0.3),
        chroma_halved=bool(compressed or rng.random() < 0.1),
        quantiser=rng.uniform(1, 8) if compressed else 0.0,
    )


def clip_voxels(
    rng: np.random.Generator,
    exposures: list[ExposedLight],
    length: float,
    bins: int,
    off: bool,
    conditions: Conditions,
) -> torch.Tensor:
    """Spike counts (T, bins, Hs, Ws) of exposures `length` frame intervals long.

    The charge that a pixel is left with goes on to the next frame; between exposures, where
    nothing was rendered, the light is taken to be the mean of those before and after.
    """
    usual = rng.random() < conditions.usual and len(conditions.usual_ticks) > 0
    ticks = (
        float(rng.choice(conditions.usual_ticks)) if usual else log_uniform(rng, conditions.ticks)
    )
    begin = 0.0 if usual else float(rng.random())
    late = rng.uniform(-0.03, 0.03) * ticks if off else 0.0
    sensor = sensor_for(rng, exposures, ticks, conditions)
    random = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
    charge = torch.rand(exposures[0].grey.shape[1:], generator=random)
    pause = ticks * (1 - length) / length
    voxels = []
    for number, exposure in enumerate(exposures):
        if number:
            around = torch.stack([exposures[number - 1].grey[-1], exposure.grey[0]])
            charge = (charge + pause * sensor.rates(around).mean(dim=0)).frac()
        counts, charge = bin_counts(
            sensor,
            exposure.grey,
            bins=bins,
            start=begin,
            stop=begin + ticks,
            late=late,
            phase=charge,
            random=random,
        )
        voxels.append(counts)
        begin = (begin + ticks / length) % 1 if not usual else 0.0
    return torch.stack(voxels)


def sensor_for(
    rng: np.random.Generator, exposures: list[ExposedLight], ticks: float, conditions: Conditions
) -> SpikeSensor:
    """A sensor whose threshold gives these exposures a mean rate from `conditions.rate`."""
    mean = float(torch.stack([exposure.grey.mean() for exposure in exposures]).mean())
    lowest, highest = conditions.rate
    enough = min(conditions.fewest_spikes / ticks, highest)
    rate = max(log_uniform(rng, (lowest, highest)), enough)
    size = exposures[0].grey.shape[1], exposures[0].grey.shape[2]
    return random_sensor(
        rng,
        size,
        rate / max(mean, 1e-4),
        fixed_pattern=rng.uniform(0.01, 0.08),
        dark=rng.uniform(0, 0.02) * rate,
        jitter=rng.uniform(0.02, 0.3) if rng.random() < 0.5 else 0.0,
        stuck=rng.uniform(0, 0.003) if rng.random() < 0.3 else 0.0,
    )
