"""Simulated rigs: a video and a spike camera with clocks and planes of their own, and the truth.

The view is the project's own synthesis; what is added is that the spike camera looks through a
homography and that its clock starts when it will.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.spikes.stream import write_dat
from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.recording.light import LUMINANCE_WEIGHTS
from spikedeblur.sample.picture import draw_street
from spikedeblur.simulation.camera import VideoCamera, as_srgb
from spikedeblur.simulation.composition import Tone, random_scene
from spikedeblur.simulation.recording import as_bytes
from spikedeblur.simulation.simulation import video_frame
from spikedeblur.simulation.spiking import random_sensor, stepped_spikes

INSTANTS = 24  # per frame interval
BLOCK_PIXELS = 1 << 22


@dataclass(frozen=True)
class Rig:
    """Two cameras. Sizes are (width, height).

    exposure, offset: in frame intervals; offset is the time of tick 0 on the video's clock.
    zoom, angle (degrees), shift (parts of the frame), tilt: how the spike plane lies over the
    video's, beginning with plain scaling, or with square pixels of the same width.
    blur: pixels of motion in a frame interval (0: still). flat: the scene has no texture.
    gamma_space: exposures average, and spikes add up, light that is sRGB-encoded.
    """

    size: tuple[int, int] = (320, 180)
    spike_size: tuple[int, int] = (200, 125)
    fps: int = 50
    rate_hz: int = 10_000
    frames: int = 16
    exposure: float = 0.7
    offset: float = 0.0
    zoom: float = 1.0
    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    tilt: tuple[float, float] = (0.0, 0.0)
    square: bool = True
    blur: float = 8.0
    flat: bool = False
    gamma_space: bool = False
    drift: float = 0.0
    seed: int = 0

    @property
    def matrix(self) -> np.ndarray:
        """Spike point -> video point, the first pixel spanning 0 to 1 (as in geometry.py)."""
        (width, height), (columns, rows) = self.size, self.spike_size
        across = width / columns
        down = across if self.square else height / rows
        centred = np.array([[1, 0, -columns / 2], [0, 1, -rows / 2], [0, 0, 1.0]])
        turn = np.deg2rad(self.angle)
        similar = self.zoom * np.array(
            [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        )
        seen = np.eye(3)
        seen[:2, :2] = similar @ np.diag([across, down])
        tilted = np.eye(3)
        tilted[2, :2] = np.array(self.tilt) / width
        place = np.eye(3)
        place[:2, 2] = (0.5 + self.shift[0]) * width, (0.5 + self.shift[1]) * height
        return place @ tilted @ seen @ centred

    @property
    def homography(self) -> tuple[float, ...]:
        """As a sidecar has it: the centre of the first pixel is (0, 0)."""
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
        matrix = np.linalg.inv(half) @ self.matrix @ half
        return tuple((matrix / matrix[2, 2]).ravel().tolist())

    @property
    def sidecar(self) -> RecordingSettings:
        """The truth."""
        width, height = self.spike_size
        return RecordingSettings(
            width=width,
            height=height,
            rate_hz=Fraction(self.rate_hz),
            offset_s=Fraction(self.offset) / self.fps,
            exposure=Fraction(self.exposure) / self.fps,
            homography=self.homography,
        )

    def canvas(self) -> tuple[int, int]:
        """(width, height) of what has to be rendered for both cameras, centred on the video's."""
        (width, height), (columns, rows) = self.size, self.spike_size
        corners = np.array([[0, columns, 0, columns], [0, 0, rows, rows], [1, 1, 1, 1]])
        seen = self.matrix @ corners
        reach = np.abs(seen[:2] / seen[2] - np.array([[width], [height]]) / 2).max(axis=1)
        most = np.maximum(reach, np.array([width, height]) / 2)
        return 2 * ceil(most[0] + 1), 2 * ceil(most[1] + 1)


@dataclass
class SpikeView:
    """The light on the spike plane, averaged over its pixels' areas."""

    rig: Rig
    grid: torch.Tensor = field(init=False)
    samples: int = field(init=False)

    def __post_init__(self) -> None:
        columns, rows = self.rig.spike_size
        pitch = np.sqrt(abs(np.linalg.det(self.rig.matrix[:2, :2])))
        self.samples = max(2, ceil(pitch))
        x, y = ((np.arange(side * self.samples) + 0.5) / self.samples for side in (columns, rows))
        points = np.stack([*np.meshgrid(x, y), np.ones((len(y), len(x)))])
        seen = np.tensordot(self.rig.matrix, points, 1)
        size, canvas = np.array(self.rig.size), np.array(self.rig.canvas())
        place = seen[:2] / seen[2] + ((canvas - size) / 2)[:, None, None]
        scaled = 2 * place / canvas[:, None, None] - 1
        self.grid = torch.from_numpy(np.moveaxis(scaled, 0, -1)[None].astype(np.float32))

    def __call__(self, light: torch.Tensor) -> torch.Tensor:
        """Light (N, 3, Hc, Wc) of the canvas -> grey (N, Hs, Ws)."""
        grey = torch.tensordot(torch.tensor(LUMINANCE_WEIGHTS), light, ([0], [1]))[None]
        seen = F.grid_sample(grey, self.grid, padding_mode="border", align_corners=False)
        return F.avg_pool2d(seen, self.samples)[0]


def record(rig: Rig, folder: Path, pick: Callable[[], np.ndarray] | None = None) -> Path:
    """Write blurry.mkv, sharp.mkv (the middle of each exposure), spikes.dat and truth.toml.

    The spikes last as long as the video.
    """
    folder.mkdir(parents=True, exist_ok=True)
    interval = Fraction(1, rig.fps)
    info = VideoInfo.synthetic(*rig.size, rig.fps)
    with (
        create_video(
            folder / "blurry.mkv", info, EncoderSettings("ffv1"), overwrite=True
        ) as blurry,
        create_video(folder / "sharp.mkv", info, EncoderSettings("ffv1"), overwrite=True) as sharp,
    ):

        def spikes() -> Iterator[np.ndarray]:
            for number, pictures, blocks in _recorded(rig, pick):
                for writer, picture in zip((blurry, sharp), pictures, strict=False):
                    writer.write(video_frame(picture, number, 1 / interval))
                yield from blocks

        write_dat(folder / "spikes.dat", spikes(), overwrite=True)
    write_sidecar(folder / "truth.toml", rig.sidecar, overwrite=True)
    return folder


@lru_cache(maxsize=2)
def street(seed: int) -> np.ndarray:
    """A drawn picture, once."""
    return draw_street(seed=seed)


def _scene(rig: Rig, first: int, last: int, pick: Callable[[], np.ndarray] | None) -> object:
    rng = np.random.default_rng([rig.seed, 0])
    if rig.flat:

        def pick() -> np.ndarray:
            return np.full((900, 1600, 3), 120, np.uint8)

    starts = np.arange(first, last, dtype=np.float64)
    blur = rig.blur or 1.0
    return random_scene(
        pick or (lambda: street(int(rng.integers(2)))),
        rng,
        size=rig.canvas()[::-1],
        starts=starts,
        stops=starts + 1,
        blur_px=(0.7 * blur, 1.4 * blur),
        still=0.0 if rig.blur else 1.0,
        objects=(0, 0) if rig.flat else (2, 4),
        scales=(0.6, 1.0),
        tone=Tone(1.0, np.ones(3), rig.gamma_space),
    )


def _recorded(
    rig: Rig, pick: Callable[[], np.ndarray] | None
) -> Iterator[tuple[int, list[np.ndarray], Iterator[np.ndarray]]]:
    """(number, blurry and sharp picture, spike blocks) of the intervals of the video's clock.

    Spikes begin and end `offset` intervals later than the video does.
    """
    first = floor(min(0.0, rig.offset))
    last = ceil(rig.frames + max(0.0, rig.offset)) + 1
    scene = _scene(rig, first, last, pick)
    view, camera = SpikeView(rig), VideoCamera(shot=5e-5, read=0.001)
    sensor = random_sensor(
        np.random.default_rng([rig.seed, 1]),
        rig.spike_size[::-1],
        1.0,
        fixed_pattern=0.05,
        dark=0.002,
        jitter=0.05,
        stuck=2e-4,
    )
    noise = np.random.default_rng([rig.seed, 2])
    random = torch.Generator().manual_seed(rig.seed)
    charge = torch.rand(*rig.spike_size[::-1], generator=random)
    per_interval = rig.rate_hz / rig.fps * (1 + rig.drift)
    total, done, earlier = round(rig.frames * per_interval), 0, None
    for number in range(first, last):
        edges = number + np.arange(INSTANTS + 1) / INSTANTS
        mean, instant, grey = _expose(rig, scene, view, edges)
        pictures = []
        if 0 <= number < rig.frames:
            pictures = [
                as_bytes(camera.develop(mean[None], rig.gamma_space, noise)),
                as_bytes(as_srgb(instant[None], rig.gamma_space)),
            ]
        light = grey if earlier is None else torch.cat([earlier, grey])
        began = edges[0] - (0 if earlier is None else 1)
        places = began + np.arange(len(light) + 1) / INSTANTS - rig.offset
        ticks = torch.from_numpy(places * per_interval)
        until = min(max(floor((number + 1 - rig.offset) * per_interval), 0), total)
        blocks = []
        step = max(1, BLOCK_PIXELS // charge.numel())
        for start in range(done, until, step):
            block, charge = stepped_spikes(
                sensor,
                light,
                ticks,
                phase=charge,
                random=random,
                ticks=range(start, min(start + step, until)),
            )
            blocks.append(block.numpy())
        yield number, pictures, iter(blocks)
        done, earlier = until, grey


def _expose(
    rig: Rig, scene: object, view: SpikeView, edges: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of an interval: mean light (3, H, W) of the exposure, light in its middle, grey of it all.

    Grey is (INSTANTS, Hs, Ws).
    """
    opens = edges[0] + (1 - rig.exposure) / 2
    closes = opens + rig.exposure
    weights = np.clip(np.minimum(edges[1:], closes) - np.maximum(edges[:-1], opens), 0, None)
    (width, height), (canvas_width, canvas_height) = rig.size, rig.canvas()
    top, left = (canvas_height - height) // 2, (canvas_width - width) // 2
    part = np.s_[0, :, top : top + height, left : left + width]
    mean, grey = torch.zeros(3, height, width), []
    for weight, low, high in zip(weights / weights.sum(), edges[:-1], edges[1:], strict=True):
        light = scene.render(np.array([(low + high) / 2]))  # type: ignore[attr-defined]
        mean += float(weight) * light[part]
        grey.append(view(light))
    instant = scene.render(edges[:1] + 0.5)  # type: ignore[attr-defined]
    return mean, instant[part], torch.cat(grey)


def mean_distance(rig: Rig, homography: tuple[float, ...]) -> float:
    """How far (video pixels, mean over what both cameras see) a homography is from the truth."""
    columns, rows = rig.spike_size
    x, y = np.meshgrid(np.linspace(0, columns - 1, 40), np.linspace(0, rows - 1, 40))
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    true, found = (np.reshape(matrix, (3, 3)) @ points for matrix in (rig.homography, homography))
    true, found = true[:2] / true[2], found[:2] / found[2]
    width, height = rig.size
    seen = (true[0] >= 0) & (true[0] < width) & (true[1] >= 0) & (true[1] < height)
    return float(np.linalg.norm(true - found, axis=0)[seen].mean())


def random_rig(seed: int, most_pixels: float = 4e8) -> Rig:
    """Anything an alignment has to cope with, small enough to be simulated in some seconds."""
    rng = np.random.default_rng([seed, 3])
    fps = int(rng.choice([25, 50, 100]))
    rate = float(np.exp(rng.uniform(np.log(2e3), np.log(4e4))))
    sizes = [(400, 250), (240, 135), (320, 180), (200, 200), (200, 125), (160, 90), (480, 270)]
    frames = 20
    fitting = [size for size in sizes if size[0] * size[1] * rate / fps * frames < most_pixels] or [
        (160, 90)
    ]
    return Rig(
        size=[(480, 270), (320, 240), (400, 400)][int(rng.integers(3))],
        spike_size=fitting[int(rng.integers(len(fitting)))],
        fps=fps,
        rate_hz=round(rate / 100) * 100,
        frames=frames,
        exposure=float(rng.uniform(0.3, 1.0)),
        offset=float(rng.uniform(-5, 5)),
        zoom=float(np.exp(rng.uniform(np.log(0.4), np.log(1.5)))),
        angle=float(rng.uniform(-5, 5)),
        shift=(float(rng.uniform(-0.1, 0.1)), float(rng.uniform(-0.1, 0.1))),
        tilt=(float(rng.normal(0, 0.01)), float(rng.normal(0, 0.01))),
        square=bool(rng.random() < 0.7),
        blur=float(rng.uniform(4, 16)),
        seed=seed,
    )
