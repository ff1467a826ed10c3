"""Recording by two cameras of one view: frame after frame of video, tick after tick of spikes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

import numpy as np
import torch

from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.quantities import Exposure, Lens
from spikedeblur.recording.filters import filter_masks
from spikedeblur.recording.lenses import Lenses
from spikedeblur.recording.light import LUMINANCE_WEIGHTS
from spikedeblur.recording.transfer import Transfer
from spikedeblur.simulation.camera import (
    ContinuousView,
    FilteredProjection,
    Projection,
    SensorProjection,
    TurnedProjection,
    VideoCamera,
    area_weights,
    as_srgb,
    instants_needed,
    integrate_exposure,
    rolling_instant,
    row_shares,
)
from spikedeblur.simulation.scene import Scene
from spikedeblur.simulation.spiking import (
    IntervalLight,
    SpikeSensor,
    even_edges,
    random_sensor,
    stepped_spikes,
)
from spikedeblur.vocabulary import AUTO_TRANSFER, CFAS, SRGB, SYMBOL_BITS

# Spikes come in blocks of about so many pixels.
BLOCK_PIXELS = 1 << 22


@dataclass(frozen=True)
class CameraSettings:
    """Settings of the two cameras. Sizes are (width, height).

    `exposure` is in frame intervals. `threshold` is the light, white being 1, that a pixel adds up
    for a spike: at 2 a white pixel fires every second tick. `gamma_space` adds up sRGB-encoded
    light, as the published sets do. `homography`: spike pixel -> video pixel, as in a sidecar; None
    lays one plane onto the other. `drift_ppm`: by how many millionths `rate_hz`, of the video's
    clock, is above the rate that the sidecar tells beside it. `video_lens`, `spike_lens`: what the
    scene is seen through; the video shows it as it is rendered, the spikes otherwise. `readout`: of
    a rolling shutter, in frame intervals, as `readout_s` of a sidecar counts. `transfer`: the
    video's curve by its name, None for sRGB. `overexposure`: by how many stops the video, and the
    truth beside it, are brighter than the scene, whose white is then clipped; spikes are not.
    `bits`: of a spike pixel at a tick, which counts up to 2^bits - 1 spikes.
    `cfa`: the colour filters of 2x2 spike pixels, None for a grey sensor.
    `parallax`: video pixels by which the spike camera sees what is nearest further right.
    Raises `UsageError` for values that cannot be.
    """

    size: tuple[int, int]
    spike_size: tuple[int, int]
    fps: Fraction
    rate_hz: Fraction = Fraction(20_000)
    exposure: Fraction = Fraction(9, 10)
    threshold: float = 1.0
    gamma_space: bool = False
    seed: int = 0
    homography: tuple[float, ...] | None = None
    drift_ppm: Fraction = Fraction(0)
    video_lens: Lens | None = None
    spike_lens: Lens | None = None
    readout: Fraction = Fraction(0)
    transfer: str | None = None
    overexposure: float = 0.0
    bits: int = 1
    cfa: str | None = None
    parallax: float = 0.0

    def __post_init__(self) -> None:
        numbers: dict[str, Fraction | float] = {
            "width": self.size[0],
            "height": self.size[1],
            "frame rate": self.fps,
            "spike width": self.spike_size[0],
            "spike height": self.spike_size[1],
            "spike rate": self.rate_hz,
            "exposure": self.exposure,
            "threshold": self.threshold,
        }
        for name, value in numbers.items():
            if not value > 0:
                raise UsageError(f"the {name} must be above zero ({value} seen) - give another")
        if self.readout and self.exposure + abs(self.readout) > 1:
            raise UsageError(
                f"exposure and readout are longer than the frame interval "
                f"({float(self.exposure + abs(self.readout)):g}x seen) - give at most 1x together"
            )
        if self.transfer == AUTO_TRANSFER or (self.transfer and self.gamma_space):
            raise UsageError(
                f"the video's curve cannot be {self.transfer} here - give its name, and "
                "no --gamma-space, which adds up sRGB"
            )
        if self.overexposure and self.gamma_space:
            raise UsageError(
                f"encoded light is not overexposed by stops ({self.overexposure:g} seen) - leave "
                "--overexpose or --gamma-space out"
            )
        if self.bits not in SYMBOL_BITS:
            raise UsageError(f"no spike pixel has {self.bits} bits - give 1, 2, 4 or 8")
        if self.cfa is not None and self.cfa not in CFAS:
            raise UsageError(f"no such filters ({self.cfa!r} seen) - give {', '.join(CFAS)}")
        if not abs(self.parallax) <= self.size[0]:
            raise UsageError(
                f"the parallax is wider than the frame ({self.parallax:g} seen) - give less"
            )
        if self.exposure > 1:
            raise UsageError(
                f"the exposure is longer than the frame interval "
                f"({float(self.exposure):g}x seen) - give at most 1x"
            )

    @property
    def curve(self) -> Transfer | None:
        """The video's curve, None for sRGB."""
        return None if self.transfer in (None, SRGB) else Transfer(self.transfer or SRGB)

    @property
    def ticks_per_frame(self) -> Fraction:
        """Ticks in a frame interval."""
        return self.rate_hz / self.fps

    def shutter(self, frame: int) -> tuple[float, float]:
        """Return when the shutter opens and closes for `frame`, in frame intervals."""
        middle, half = frame + Fraction(1, 2), self.exposure / 2
        return float(middle - half), float(middle + half)

    def lateness(self) -> np.ndarray:
        """How much later than the middle row each is exposed, in frame intervals: (H,)."""
        height = self.size[1]
        return float(self.readout) * ((np.arange(height) + 0.5) / height - 0.5)

    def spike_plane(self) -> Projection:
        """The spike camera's pixels over the video's, behind their filters."""
        if self.cfa is None:
            return self.plane_of(torch.tensor(LUMINANCE_WEIGHTS))
        masks = torch.from_numpy(filter_masks(self.cfa, self.spike_size[::-1]).astype(np.float32))
        return FilteredProjection([self.plane_of(colour) for colour in torch.eye(3)], masks)

    def plane_of(self, weights: torch.Tensor) -> Projection:
        """Pixels that see colours with such weights, (3,)."""
        lenses = Lenses.of(self.video_lens, self.spike_lens)
        if self.homography is not None or lenses is not None:
            return TurnedProjection.of(weights, self.size, self.spike_size, self.homography, lenses)
        width, height = self.size
        columns, rows = self.spike_size
        return SensorProjection(weights, area_weights(rows, height), area_weights(columns, width))

    def spike_sensor(self) -> SpikeSensor:
        """A sensor like the real ones: pixels 5 % apart, dark current, a few broken ones."""
        rng = np.random.default_rng([self.seed, 1])
        sensor = random_sensor(
            rng,
            self.spike_size[::-1],
            1 / self.threshold,
            fixed_pattern=0.05,
            dark=0.002,
            jitter=0.05,
            stuck=2e-4,
        )
        return replace(sensor, most=(1 << self.bits) - 1)


@dataclass(frozen=True)
class FramePair:
    """One frame: `blurry` and `sharp` (H, W, 3) uint8, and the spikes of its interval in blocks.

    The blocks (n, Hs, Ws) bool have to be taken before the next frame is.
    """

    blurry: np.ndarray
    sharp: np.ndarray
    spikes: Iterator[np.ndarray]


class Recorder:
    """Both cameras, pointed at `view`."""

    def __init__(self, view: ContinuousView, recording: CameraSettings) -> None:
        self.view, self.recording = view, recording
        self.spike_view = view
        if recording.parallax:
            assert isinstance(view, Scene)  # footage has no depth
            self.spike_view = view.from_beside(recording.parallax)
        self.plane, self.sensor = recording.spike_plane(), recording.spike_sensor()
        self.camera = VideoCamera(shot=5e-5, read=0.001, transfer=recording.curve)
        self._noise = np.random.default_rng([recording.seed, 2])
        self._random = torch.Generator().manual_seed(recording.seed)
        self._charge = torch.rand(*recording.spike_size[::-1], generator=self._random)

    def record(self, frames: Iterable[int]) -> Iterator[FramePair]:
        """Yield the `frames` 0, 1, 2 ... one after the other."""
        earlier: IntervalLight | None = None
        for frame in frames:
            mean, instant, light = self.expose(frame)
            gain = 2**self.recording.overexposure
            blurry = self.camera.develop(gain * mean[None], self.recording.gamma_space, self._noise)
            sharp = as_srgb(gain * instant[None], self.recording.gamma_space, self.recording.curve)
            yield FramePair(
                as_bytes(blurry), as_bytes(sharp), self.fire(frame, light.after(earlier))
            )
            earlier = light

    def expose(self, frame: int) -> tuple[torch.Tensor, torch.Tensor, IntervalLight]:
        """The mean light and the middle instant (3, H, W) of a frame, its interval on the spikes.

        Of a rolling shutter each row is seen in the middle of its own exposure.
        Spikes see the time before the shutter opens and after it closes, too.
        """
        opens, closes = self.recording.shutter(frame)
        late = self.recording.lateness()
        rows, opens, closes = opens + late, opens + late.min(), closes + late.max()
        times = np.array([frame, opens, closes, frame + 1.0])
        ways = self.view.slide(times[:-1], times[1:])
        counts = [instants_needed(way) for way in ways]
        rolls = bool(self.recording.readout)
        shares = row_shares(opens, closes, counts[1], rows) if rolls else None
        beside = None if self.spike_view is self.view else self.spike_view
        exposure = integrate_exposure(
            self.view, opens, closes, frame + 0.5, counts[1], self.plane, shares, beside
        )
        instant = exposure.instant
        if rolls:
            instant = rolling_instant(self.view, frame + 0.5 + late, float(ways[1]))
        before = self.glimpse(frame, opens, counts[0])
        after = self.glimpse(closes, frame + 1.0, counts[2])
        pieces = [before, (exposure.grey, opens, closes), after]
        edges = [even_edges(len(grey), start, stop)[:-1] for grey, start, stop in pieces]
        edges.append(torch.tensor([frame + 1.0], dtype=torch.float64))
        light = IntervalLight(
            torch.cat([grey for grey, _, _ in pieces]),
            torch.cat(edges) * float(self.recording.ticks_per_frame),
        )
        return exposure.mean, instant, light

    def glimpse(self, start: float, stop: float, count: int) -> tuple[torch.Tensor, float, float]:
        """Render what the spike camera sees from `start` to `stop` while the shutter is closed."""
        if stop <= start:
            return torch.zeros(0, *self._charge.shape), start, stop
        times = start + (stop - start) * (np.arange(count) + 0.5) / count
        grey = [
            self.plane.project(self.spike_view.render(times[at : at + 1])) for at in range(count)
        ]
        return torch.cat(grey), start, stop

    def fire(self, frame: int, light: IntervalLight) -> Iterator[np.ndarray]:
        """The spikes of the ticks that end in the interval of `frame`, in blocks (n, Hs, Ws)."""
        ticks = self.recording.ticks_per_frame
        first, last = floor(frame * ticks), floor((frame + 1) * ticks)
        step = max(1, BLOCK_PIXELS // self._charge.numel())
        for start in range(first, last, step):
            block, self._charge = stepped_spikes(
                self.sensor,
                light.grey,
                light.edges,
                ticks=range(start, min(start + step, last)),
                phase=self._charge,
                random=self._random,
            )
            yield block.numpy()


def as_bytes(picture: torch.Tensor) -> np.ndarray:
    """A picture (1, 3, H, W) in [0, 1] -> (H, W, 3) uint8."""
    return (picture[0].permute(1, 2, 0) * 255).round().byte().contiguous().numpy()


def sidecar(recording: CameraSettings, offset_s: Fraction = Fraction(0)) -> RecordingSettings:
    """Return the sidecar: what the spike file does not hold itself."""
    return RecordingSettings(
        size=recording.spike_size,
        rate_hz=recording.rate_hz / (1 + recording.drift_ppm / 10**6),
        drift_ppm=recording.drift_ppm or None,
        offset_s=offset_s,
        exposure=Exposure(recording.exposure / recording.fps),
        homography=recording.homography,
        video_lens=recording.video_lens,
        spike_lens=recording.spike_lens,
        transfer=recording.transfer,
        readout_s=recording.readout / recording.fps or None,
        bits=recording.bits if recording.bits > 1 else None,
        cfa=recording.cfa,
        parallax=bool(recording.parallax) or None,
    )
