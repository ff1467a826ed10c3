"""Rigs to simulate: what is asked of both cameras, the rest left to the footage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from spikedeblur.quantities import Lens, exact
from spikedeblur.simulation.recording import CameraSettings


@dataclass(frozen=True)
class RigSettings:
    """Settings of `simulate`; None leaves the choice to it. Sizes are (width, height).

    `size` None: of the video, or 640x360. `spike_size` None: half of `size`. `frames` None: all
    of a video, or 24. `fps` None: an eighth of a video's, or 50. `blur_px` is the motion in an
    exposure of scenes made of photographs. `source_fps` is how many frames of a video pass in a
    second of the scene, None for the video's own. `offset_s`: time of tick 0 on the blurry video's
    clock, to the nearest tick. `homography`: spike pixel -> video pixel. `drift_ppm`: by how many
    millionths the spike camera's clock is fast, which the sidecar tells. `readout_s`: seconds from
    the first row's exposure to the last one's. `parallax`: video pixels by which the spike camera,
    beside the video camera, sees objects further right; photographs only. The others are those of
    `CameraSettings`.
    """

    frames: int | None = None
    size: tuple[int, int] | None = None
    fps: Fraction | None = None
    rate_hz: Fraction = Fraction(20_000)
    spike_size: tuple[int, int] | None = None
    exposure: Fraction = Fraction(9, 10)
    threshold: float = 1.0
    blur_px: float | None = None
    gamma_space: bool = False
    seed: int = 0
    source_fps: Fraction | None = None
    offset_s: Fraction = Fraction(0)
    homography: tuple[float, ...] | None = None
    drift_ppm: float = 0.0
    video_lens: Lens | None = None
    spike_lens: Lens | None = None
    readout_s: Fraction = Fraction(0)
    transfer: str | None = None
    overexposure: float = 0.0
    bits: int = 1
    cfa: str | None = None
    parallax: float = 0.0

    def recording(self, size: tuple[int, int], fps: Fraction) -> CameraSettings:
        """Return the cameras' settings, the missing ones taken from `size` and `fps`."""
        size = self.size or size
        half = max(1, size[0] // 2), max(1, size[1] // 2)
        drift_ppm = exact(self.drift_ppm)
        return CameraSettings(
            size,
            self.spike_size or half,
            self.fps or fps,
            self.rate_hz * (1 + drift_ppm / 10**6),
            self.exposure,
            self.threshold,
            self.gamma_space,
            self.seed,
            self.homography,
            drift_ppm,
            self.video_lens,
            self.spike_lens,
            self.readout_s * (self.fps or fps),
            self.transfer,
            self.overexposure,
            self.bits,
            self.cfa,
            self.parallax,
        )

    def lead(self, recording: CameraSettings) -> Lead:
        """The part of the recording before the video begins, or of the video before the spikes."""
        frames = max(math.ceil(-self.offset_s * recording.fps), 0)
        ticks = round((frames / recording.fps + self.offset_s) * recording.rate_hz)
        return Lead(frames, ticks, ticks / recording.rate_hz - frames / recording.fps)


@dataclass(frozen=True)
class Lead:
    """What is recorded first and not written: frames, and ticks. offset_s: of the first tick kept.

    With frames, spikes begin before the video.
    """

    frames: int = 0
    ticks: int = 0
    offset_s: Fraction = Fraction(0)
