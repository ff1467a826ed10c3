"""The video camera: light added up over an exposure, noise, sRGB, eight bits, a codec's losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F

from spikedeblur.errors import UsageError
from spikedeblur.recording.geometry import pixels_per_spike, spike_to_video
from spikedeblur.recording.lenses import Lenses, mapped
from spikedeblur.recording.light import linear_to_srgb, srgb_to_linear
from spikedeblur.recording.transfer import Transfer

FEWEST_INSTANTS, MOST_INSTANTS = 9, 65
# What moves fastest moves so far between two instants.
STEP_PX = 1.25
# Instants are rendered in groups of about this many pixels, which bounds memory for large frames.
GROUP_PIXELS = 1 << 22
BLOCK = 8


class ContinuousView(Protocol):
    """A scene in continuous time before a camera whose frames measure `size` (H, W)."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a frame."""
        ...

    def render(self, times: np.ndarray) -> torch.Tensor:
        """Light (N, 3, H, W) float32 at each of `times` (N,), in frame intervals."""
        ...

    def slide(self, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
        """The longest way (F,), in pixels, of anything in sight from `starts` (F,) to `stops`."""
        ...


@dataclass(frozen=True)
class ExposedLight:
    """Light on the camera during one exposure.

    `mean` and `instant` are light (3, H, W): the average, and the view at the target time.
    `grey` (M, Hs, Ws) is the light in each of M equal parts of the exposure on the spike plane.
    """

    mean: torch.Tensor
    instant: torch.Tensor
    grey: torch.Tensor


@dataclass(frozen=True)
class SensorProjection:
    """Projection of a frame's light onto the spike sensor: colour weights (3,), rows, columns.

    `rows` (Hs, H) and `columns` (Ws, W) average over the area of a spike pixel.
    """

    weights: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    def project(self, light: torch.Tensor) -> torch.Tensor:
        """Light (N, 3, H, W) -> grey light (N, Hs, Ws)."""
        count, _, height, width = light.shape
        # Colours first: so rendered light lies in memory, and this is no copy.
        grey = (self.weights @ light.transpose(0, 1).reshape(3, -1)).view(count, height, width)
        return self.rows @ (grey @ self.columns.T)


@dataclass(frozen=True)
class TurnedProjection:
    """Projection onto a spike sensor that lies otherwise: colour weights (3,), sampling grid.

    `grid` (1, n Hs, n Ws, 2) are places in the frame, -1 and 1 being its edges; a spike pixel is
    the mean of n x n of them. Beyond the frame the sensor sees its border.
    """

    weights: torch.Tensor
    grid: torch.Tensor
    samples: int

    @classmethod
    def of(
        cls,
        weights: torch.Tensor,
        size: tuple[int, int],
        spike_size: tuple[int, int],
        homography: Sequence[float] | None,
        lenses: Lenses | None = None,
    ) -> TurnedProjection:
        """Sizes are (width, height); homography: spike pixel -> video pixel, as in a sidecar.

        lenses: of both; the scene is what the video's lens shows.
        """
        to_video = spike_to_video(spike_size, size, homography, lenses)
        samples = int(np.clip(np.ceil(2 * pixels_per_spike(to_video, spike_size)), 2, 8))
        x, y = ((np.arange(side * samples) + 0.5) / samples for side in spike_size)
        across, down, depth = mapped(to_video, x[None, :], y[:, None])
        if (depth <= 0).any():
            raise UsageError(
                "the spike camera looks away from the frame - give another homography, or lenses "
                "that show all of it"
            )
        places = np.stack([across / size[0], down / size[1]], axis=-1) * 2 - 1
        return cls(weights, torch.from_numpy(places.astype(np.float32))[None], samples)

    def project(self, light: torch.Tensor) -> torch.Tensor:
        """Light (N, 3, H, W) -> grey light (N, Hs, Ws)."""
        grey = (light * self.weights[:, None, None]).sum(dim=1)[None]
        seen = F.grid_sample(grey, self.grid, padding_mode="border", align_corners=False)
        return F.avg_pool2d(seen, self.samples)[0]


@dataclass(frozen=True)
class FilteredProjection:
    """Projection onto a sensor behind filters: `planes` of colours, `masks` (3, Hs, Ws)."""

    planes: Sequence[Projection]
    masks: torch.Tensor

    def project(self, light: torch.Tensor) -> torch.Tensor:
        """Light (N, 3, H, W) -> what each pixel's filter lets pass (N, Hs, Ws)."""
        pairs = zip(self.masks, self.planes, strict=True)
        return torch.stack([mask * plane.project(light) for mask, plane in pairs]).sum(dim=0)


Projection = SensorProjection | TurnedProjection | FilteredProjection


def area_weights(outputs: int, inputs: int, shift: float = 0.0) -> torch.Tensor:
    """Averaging of `inputs` pixels into `outputs` by exact overlap, (outputs, inputs) float32.

    `shift` moves the sensor by that many input pixels; what it sees beyond the edge is left out.
    """
    edges = np.arange(outputs + 1) * inputs / outputs + shift
    low, high = edges[:-1, None].clip(0, inputs - 1), edges[1:, None].clip(1, inputs)
    pixel = np.arange(inputs)[None, :]
    overlap = (np.minimum(high, pixel + 1) - np.maximum(low, pixel)).clip(0, None)
    return torch.from_numpy((overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32))


def instants_needed(distance: float) -> int:
    """Count the instants that show a motion of `distance` pixels in steps of about a pixel."""
    return int(np.clip(np.ceil(distance / STEP_PX), FEWEST_INSTANTS, MOST_INSTANTS))


@torch.no_grad()
def integrate_exposure(
    view: ContinuousView,
    start: float,
    stop: float,
    target: float,
    instants: int,
    plane: Projection,
    shares: torch.Tensor | None = None,
    spike_view: ContinuousView | None = None,
) -> ExposedLight:
    """Add up the light of the exposure from `start` to `stop`, and look once at `target`.

    Times are in frame intervals. The exposure is cut into `instants` equal parts, each standing
    for the view at its middle. shares: (instants, H), the share that each part has in the light of
    a row; None for the same in all. spike_view: what the spike camera sees, if not `view`.
    """
    times = start + (stop - start) * (np.arange(instants) + 0.5) / instants
    group = max(1, GROUP_PIXELS // (view.size[0] * view.size[1]))
    total, grey = torch.zeros(3, *view.size), []
    for first in range(0, instants, group):
        part = times[first : first + group]
        last = first + group >= instants
        light = view.render(np.append(part, target) if last else part)
        instant, light = light[-1], light[: len(part)]
        if shares is not None:
            total += (light * shares[first : first + group, None, :, None]).sum(dim=0)
        else:
            total += light.sum(dim=0)
        grey.append(plane.project(light if spike_view is None else spike_view.render(part)))
    mean = total if shares is not None else total / instants
    return ExposedLight(mean, instant.clone(), torch.cat(grey))


def row_shares(start: float, stop: float, instants: int, opens: np.ndarray) -> torch.Tensor:
    """The shares (instants, H) that parts of [`start`, `stop`) have in rows that open at `opens`.

    All rows are exposed equally long, the one that closes last until `stop`.
    """
    edges = np.linspace(start, stop, instants + 1)
    closes = opens + (stop - opens.max())
    overlap = np.minimum(edges[1:, None], closes) - np.maximum(edges[:-1, None], opens)
    shares = overlap.clip(0) / (stop - opens.max())
    return torch.from_numpy(shares.astype(np.float32))


@torch.no_grad()
def rolling_instant(view: ContinuousView, times: np.ndarray, way: float) -> torch.Tensor:
    """Light (3, H, W) of which each row is seen at its own of `times` (H,).

    way: pixels that the fastest moves meanwhile; four views a pixel are mixed row by row.
    """
    looks = np.linspace(times.min(), times.max(), max(2, int(np.ceil(4 * way)) + 1))
    total, step = torch.zeros(3, *view.size), looks[1] - looks[0]
    for look in looks:
        share = (1 - np.abs(times - look) / step).clip(0)
        light = view.render(np.array([look]))[0]
        total += light * torch.from_numpy(share.astype(np.float32))[:, None]
    return total


def as_srgb(
    light: torch.Tensor, gamma_space: bool, transfer: Transfer | None = None
) -> torch.Tensor:
    """Light as a noise-free picture in [0, 1], float32: sRGB, or by another curve."""
    light = light.clamp(0, 1)
    return light if gamma_space else torch.from_numpy(encoded_light(light.numpy(), transfer))


def encoded_light(light: np.ndarray, transfer: Transfer | None) -> np.ndarray:
    """Light in [0, 1] as codes in [0, 1] of sRGB, or of another curve."""
    return linear_to_srgb(light) if transfer is None else transfer.codes(light)


@dataclass(frozen=True)
class VideoCamera:
    """A video camera: the noise and the losses that it adds to a perfect picture.

    `shot` and `read` give the noise's variance, shot * light + read^2, in linear light.
    `chroma_halved` averages colour over 2x2 pixels, as 4:2:0 does; `quantiser` is the step, in
    8-bit levels, to which a codec rounds the cosine transform of 8x8 blocks (0: none). `transfer`:
    the curve that it encodes light by, None for sRGB.
    """

    shot: float = 0.0
    read: float = 0.0
    chroma_halved: bool = False
    quantiser: float = 0.0
    transfer: Transfer | None = None

    def develop(
        self, light: torch.Tensor, gamma_space: bool, rng: np.random.Generator
    ) -> torch.Tensor:
        """Light (T, 3, H, W) -> what the file holds: sRGB of 8 bits as float32 in [0, 1]."""
        linear = srgb_to_linear(light.numpy()) if gamma_space else light.numpy()
        if self.shot or self.read:
            spread = np.sqrt(self.shot * np.maximum(linear, 0) + self.read**2)
            linear = linear + spread * rng.standard_normal(linear.shape, dtype=np.float32)
        picture = encoded_light(np.clip(linear, 0, 1).astype(np.float32), self.transfer)
        if self.chroma_halved:
            picture = halve_chroma(picture)
        if self.quantiser:
            picture = quantise_blocks(picture, self.quantiser / 255)
        return torch.from_numpy(np.round(np.clip(picture, 0, 1) * 255).astype(np.float32) / 255)


def halve_chroma(picture: np.ndarray) -> np.ndarray:
    """Average the colour, not the brightness, of (T, 3, H, W) over 2x2 pixels."""
    luma = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), picture, (0, 1))[:, None]
    chroma = picture - luma
    count, channels, height, width = picture.shape
    padded = np.pad(chroma, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    blocks = padded.reshape(count, channels, -(-height // 2), 2, -(-width // 2), 2)
    mean = blocks.mean(axis=(3, 5), keepdims=True)
    return luma + np.broadcast_to(mean, blocks.shape).reshape(padded.shape)[..., :height, :width]


def quantise_blocks(picture: np.ndarray, step: float) -> np.ndarray:
    """Round the cosine transform of 8x8 blocks of (T, 3, H, W), high frequencies more coarsely."""
    count, channels, height, width = picture.shape
    padded = np.pad(
        picture, ((0, 0), (0, 0), (0, -height % BLOCK), (0, -width % BLOCK)), mode="edge"
    )
    frequency = np.arange(BLOCK)
    cosine = np.cos(np.pi / BLOCK * np.outer(frequency, np.arange(BLOCK) + 0.5))
    cosine = cosine * np.where(frequency == 0, 1, 2**0.5)[:, None] / BLOCK**0.5
    cosine = cosine.astype(np.float32)
    blocks = padded.reshape(count, channels, padded.shape[2] // BLOCK, BLOCK, -1, BLOCK)
    blocks = blocks.transpose(0, 1, 2, 4, 3, 5)
    steps = (step * (1 + (frequency[:, None] + frequency) / 2)).astype(np.float32)
    kept = np.round(cosine @ blocks @ cosine.T / steps) * steps
    restored = (cosine.T @ kept @ cosine).transpose(0, 1, 2, 4, 3, 5).reshape(padded.shape)
    return restored[..., :height, :width]
