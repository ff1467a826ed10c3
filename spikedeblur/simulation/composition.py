"""Scenes composed at random: a photograph as the ground, pieces of others moving before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from spikedeblur.recording.light import linear_to_srgb, relative_luminance, srgb_to_linear
from spikedeblur.simulation.motion import PlaneMotion, random_motion
from spikedeblur.simulation.scene import Layer, Scene, frame_points
from spikedeblur.simulation.shapes import random_mask

# Texture pixels per frame pixel, where the photograph has them: sampling in between stays sharp.
DENSITY = 1.5


@dataclass(frozen=True)
class Tone:
    """Conversion of 8-bit photographs to light, the same for a whole scene.

    `gamma_space` keeps light sRGB-encoded, clipped to [0, 1]: the published sets average such
    frames and fire spikes on them.
    """

    exponent: float
    gains: np.ndarray
    gamma_space: bool

    def table(self) -> np.ndarray:
        """Light (3, 256) float32 of each 8-bit value in each channel."""
        linear = srgb_to_linear(np.arange(256) / 255.0) ** self.exponent
        return self.encoded(np.multiply.outer(self.gains, linear))

    def encoded(self, light: np.ndarray) -> np.ndarray:
        """Linear light in the space in which this scene's light is added up."""
        if self.gamma_space:
            light = linear_to_srgb(np.clip(light, 0, 1))
        return np.asarray(light, dtype=np.float32)


def random_tone(
    rng: np.random.Generator, gamma_space: bool, exposure_stops: tuple[float, float]
) -> Tone:
    """Dark to bright, contrasty to flat, with a colour cast."""
    gains = 2 ** (rng.uniform(*exposure_stops) + rng.uniform(-0.35, 0.35, 3))
    return Tone(float(np.exp(rng.uniform(np.log(0.75), np.log(1.35)))), gains, gamma_space)


def textured(
    photo: np.ndarray,
    corner: tuple[float, float],
    extent: tuple[float, float],
    scale: float,
    tone: Tone,
) -> tuple[torch.Tensor, tuple[float, float], float]:
    """Cut a region out of a photograph (H, W, 3) uint8 and turn it into light.

    The region has its upper left at `corner` (x, y) and measures `extent` (width, height) photo
    pixels; `scale` is frame pixels per photo pixel. Returns the texture (3, h, w), the corner
    really used (what lies outside the photograph is left away) and the texture's density.
    """
    rows, columns = photo.shape[:2]
    left, top = (int(max(0, np.floor(value))) for value in corner)
    right = int(min(columns, np.ceil(corner[0] + extent[0])))
    bottom = int(min(rows, np.ceil(corner[1] + extent[1])))
    piece = torch.from_numpy(np.array(photo[top:bottom, left:right])).permute(2, 0, 1)[None]
    factor = min(1.0, DENSITY * scale)
    if factor < 1:
        size = [max(2, round(side * factor)) for side in piece.shape[2:]]
        piece = F.interpolate(piece, size=size, mode="bicubic", antialias=True)
    values = piece[0].numpy()
    table = tone.table()
    light = np.stack([table[channel][values[channel]] for channel in range(3)])
    density = light.shape[2] / (right - left) / scale
    return torch.from_numpy(light), (float(left), float(top)), density


def random_view(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The photograph turned by quarters, mirrored, its channels exchanged: a view, not a copy."""
    photo = np.rot90(photo, int(rng.integers(4)))
    photo = photo[:, ::-1] if rng.random() < 0.5 else photo
    return photo[..., rng.permutation(3)] if rng.random() < 0.3 else photo


def seen_extent(
    motion: PlaneMotion, times: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest plane coordinates (x, y) that the frame shows at `times`."""
    points = frame_points(size)
    seen = motion.matrices(times) @ np.concatenate([points.T, np.ones((1, len(points)))])
    where = seen[:, :2] / seen[:, 2:]
    return where.min(axis=(0, 2)) - 2, where.max(axis=(0, 2)) + 2


def richest_corner(
    photo: np.ndarray, rng: np.random.Generator, extent: np.ndarray, candidates: int = 3
) -> np.ndarray:
    """Choose where (x, y) to cut `extent` (width, height) out of a photograph.

    Of a few random places the one with most detail: skies and walls teach little. A region larger
    than the photograph is centred on it; mirroring fills the rest.
    """
    room = np.array(photo.shape[1::-1]) - extent
    corners = np.where(room > 0, rng.uniform(0, 1, (candidates, 2)) * room, room / 2)

    def detail(corner: np.ndarray) -> float:
        left, top = corner.clip(0, None).astype(int)
        right, bottom = (corner + extent).astype(int)
        green = photo[top:bottom:2, left:right:2, 1].astype(np.int16)
        return float(np.abs(np.diff(green)).mean() + np.abs(np.diff(green, axis=0)).mean())

    return corners[int(np.argmax([detail(corner) for corner in corners]))]


def random_ground(
    photo: np.ndarray,
    rng: np.random.Generator,
    motion: PlaneMotion,
    tone: Tone,
    size: tuple[int, int],
    times: np.ndarray,
    scales: tuple[float, float],
) -> Layer:
    """A region of the photograph, large enough for what `motion` shows at `times`, behind all."""
    scale = float(rng.uniform(*scales))
    low, high = seen_extent(motion, times, size)
    extent = (high - low) / scale
    corner = richest_corner(photo, rng, extent)
    texture, used, density = textured(photo, tuple(corner), tuple(extent), scale, tone)
    at = low + (np.array(used) - corner) * scale
    return Layer(texture, (float(at[0]), float(at[1])), density, motion)


def object_colours(
    photo: np.ndarray, rng: np.random.Generator, tone: Tone, side: int, ground: Layer
) -> torch.Tensor:
    """The light (3, side, side) of an object: cut from a photograph, or plain."""
    room = np.array(photo.shape[1::-1]) - side
    if rng.random() < 0.45 or room.min() <= 0:
        return torch.from_numpy(plain_colours(rng, tone, side, ground))
    x, y = (int(value) for value in rng.uniform(0, 1, 2) * room)
    return textured(photo, (x, y), (side, side), 1 / DENSITY, tone)[0]


def plain_colours(rng: np.random.Generator, tone: Tone, side: int, ground: Layer) -> np.ndarray:
    """Light (3, side, side) of one colour, lighter to one side or striped.

    A third have the ground's own luminance in another hue: spikes are grey and see no edge there.
    """
    colour: np.ndarray = rng.uniform(0, 1, 3) ** 2 * float(tone.gains.mean())
    if rng.random() < 0.33:
        around: np.ndarray = ground.texture.mean(dim=(1, 2)).numpy().astype(np.float64)
        around = srgb_to_linear(around) if tone.gamma_space else around
        colour *= relative_luminance(around) / max(float(relative_luminance(colour)), 1e-3)
    direction, axis = rng.uniform(0, 2 * np.pi), np.linspace(-1, 1, side)
    slope = np.cos(direction) * axis[None, :] + np.sin(direction) * axis[:, None]
    if rng.random() < 0.3:
        slope = np.sign(np.sin(slope * rng.uniform(3, 20)))
    return tone.encoded(np.multiply.outer(colour, 1 + rng.uniform(0, 0.6) * slope))


def random_object(
    photo: np.ndarray,
    rng: np.random.Generator,
    tone: Tone,
    ground: Layer,
    size: tuple[int, int],
    blur_px: float,
    starts: np.ndarray,
    stops: np.ndarray,
) -> Layer:
    """An object somewhere in the frame, on its own way that blurs it by `blur_px`."""
    height, width = size
    radius = float(np.exp(rng.uniform(np.log(6), np.log(max(8.0, min(size) * 0.6)))))
    anchor = (float(rng.uniform(-0.5, 0.5) * width), float(rng.uniform(-0.5, 0.5) * height))
    points = np.array(anchor) + radius * np.array([[-0.7, 0], [0.7, 0], [0, -0.7], [0, 0.7]])
    motion = random_motion(
        rng,
        blur_px=blur_px,
        reach=radius,
        starts=starts,
        stops=stops,
        points=points,
        anchor=anchor,
        camera=False,
    )
    alpha = torch.from_numpy(random_mask(rng, radius, DENSITY))
    side = alpha.shape[0]
    colours = object_colours(photo, rng, tone, side, ground)
    texture = torch.cat([colours * alpha, alpha[None]])
    return Layer(texture, (-side / DENSITY / 2, -side / DENSITY / 2), DENSITY, motion)


def random_scene(
    pick: Callable[[], np.ndarray],
    rng: np.random.Generator,
    *,
    size: tuple[int, int],
    starts: np.ndarray,
    stops: np.ndarray,
    blur_px: tuple[float, float],
    still: float,
    objects: tuple[int, int],
    scales: tuple[float, float],
    tone: Tone,
) -> Scene:
    """A moving ground with moving objects, seen during the exposures `starts` to `stops` (T,).

    `pick` draws a photograph (H, W, 3). `blur_px` is the range of blur lengths of an exposure,
    drawn evenly in their logarithm for each layer; a share `still` of all scenes does not move.
    """

    def blur() -> float:
        return 0.0 if at_rest else float(np.exp(rng.uniform(*np.log(blur_px))))

    at_rest = bool(rng.random() < still)
    reach = float(np.hypot(*size)) / 2
    camera = random_motion(
        rng, blur_px=blur(), reach=reach, starts=starts, stops=stops, points=frame_points(size)
    )
    times = np.linspace(starts[0], stops[-1], 16 * len(starts))
    ground = random_ground(pick(), rng, camera, tone, size, times, scales)
    moving = [
        random_object(pick(), rng, tone, ground, size, blur(), starts, stops)
        for _ in range(int(rng.integers(objects[0], objects[1] + 1)))
    ]
    return Scene((ground, *moving), size)
