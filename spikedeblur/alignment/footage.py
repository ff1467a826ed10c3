"""Video made small: the luminance of a bounded number of frames, and their times.

Frames come in bursts of neighbours, for the change from one to the next reveals the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np

from spikedeblur.io.video import VideoSource, open_video
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.recording.light import relative_luminance, srgb_to_linear
from spikedeblur.recording.resample import resize_planes
from spikedeblur.recording.transfer import Transfer, TransferLike, transfer_of

LARGEST_SIDE = 640
BURST_FRAMES = 8
BURSTS = 3
CANDIDATES = 6
SHORT_VIDEO = BURST_FRAMES * BURSTS
DARK, BRIGHT = 0.5 / 255, 0.93


@dataclass(frozen=True)
class Burst:
    """Frames that follow each other.

    light: (F, h, w) float32 linear luminance, reduced. usable: (F, h, w) bool, neither black nor
    clipped. middles_s: (F,) middle of each frame's interval, seconds on the video's clock.
    """

    light: np.ndarray
    usable: np.ndarray
    middles_s: np.ndarray

    @property
    def liveliness(self) -> float:
        """Return the change of light from frame to frame."""
        return float(np.abs(np.diff(self.light, axis=0)).mean()) if len(self.light) > 1 else 0.0


@dataclass(frozen=True)
class Footage:
    """A video as alignment needs it. size: (width, height) of the video; seconds on its clock."""

    size: tuple[int, int]
    bursts: tuple[Burst, ...]
    interval_s: float
    first_s: Fraction
    first_interval_s: Fraction
    duration_s: Fraction | None

    @property
    def light(self) -> np.ndarray:
        """Luminance of all frames, (F, h, w)."""
        return np.concatenate([burst.light for burst in self.bursts])

    @property
    def since(self) -> list[float]:
        """The time of each burst, in frame intervals from the mean of all frames."""
        mean = np.concatenate([burst.middles_s for burst in self.bursts]).mean()
        return [float((burst.middles_s.mean() - mean) / self.interval_s) for burst in self.bursts]

    @property
    def pitch(self) -> tuple[float, float]:
        """Video pixels per pixel of `light`, across and down."""
        height, width = self.bursts[0].light.shape[1:]
        return self.size[0] / width, self.size[1] / height


def read_footage(video: VideoSource, how: TransferLike | None = None) -> Footage:
    """Read all of a short video, else the liveliest burst of each of its thirds.

    how: what its numbers stand for, None or "auto" for what its tags say. Raises what reading a
    video raises.
    """
    with open_video(video) as reader:
        info = reader.info
        transfer = transfer_of(how, info.colour)
        frames = [_reduced(frame, transfer) for frame in islice(reader, SHORT_VIDEO + 1)]
    first = frames[0]
    if len(frames) <= SHORT_VIDEO or info.duration is None:
        bursts = [_burst(frames[:SHORT_VIDEO])]
    else:
        bursts = _liveliest(video, float(first.start), float(info.duration), transfer)
    spans = np.concatenate([np.diff(burst.middles_s) for burst in bursts] + [np.zeros(0)])
    interval_s = float(np.median(spans)) if len(spans) else float(first.interval)
    return Footage(
        (info.width, info.height),
        tuple(bursts),
        interval_s,
        first.start,
        first.interval,
        info.duration,
    )


def read_burst(video: VideoSource, start_s: float, count: int, how: TransferLike | None) -> Burst:
    """So many frames from a time on; how: as of `read_footage`."""
    with open_video(video, start=Fraction(start_s)) as reader:
        transfer = transfer_of(how, reader.info.colour)
        return _burst([_reduced(frame, transfer) for frame in islice(reader, count)])


@dataclass(frozen=True)
class _Small:
    light: np.ndarray
    usable: np.ndarray
    start: Fraction
    interval: Fraction


def _liveliest(
    video: VideoSource, first_s: float, duration_s: float, transfer: Transfer | None
) -> list[Burst]:
    """Of bursts spread evenly, in each third of the video the one in which most happens."""
    places = first_s + (np.arange(CANDIDATES) + 0.5) / CANDIDATES * (duration_s - first_s)
    found = []
    for place in places:
        with open_video(video, start=Fraction(place)) as reader:
            few = [_reduced(frame, transfer) for frame in islice(reader, BURST_FRAMES)]
            found.append(_burst(few))
    each = CANDIDATES // BURSTS
    return [
        max(found[at : at + each], key=lambda burst: burst.liveliness)
        for at in range(0, CANDIDATES, each)
    ]


def _burst(frames: list[_Small]) -> Burst:
    middles = [float(frame.start + frame.interval / 2) for frame in frames]
    return Burst(
        np.stack([frame.light for frame in frames]),
        np.stack([frame.usable for frame in frames]),
        np.array(middles),
    )


def _reduced(frame: VideoFrame, transfer: Transfer | None) -> _Small:
    """Luminance at no more than LARGEST_SIDE, and where it is neither black nor clipped."""
    rgb = frame.rgb if transfer is None else transfer.decoded(frame.rgb)
    encoded = rgb.astype(np.float32) / np.float32(np.iinfo(rgb.dtype).max)
    light = relative_luminance(srgb_to_linear(encoded))
    clipped = (encoded.max(axis=-1) > BRIGHT).astype(np.float32)
    shrink = max(1.0, max(light.shape) / LARGEST_SIDE)
    shape = round(light.shape[0] / shrink), round(light.shape[1] / shrink)
    start, interval = frame.span
    return _Small(resize_planes(light, shape), resize_planes(clipped, shape) < 0.5, start, interval)
