"""Results of restoration: the sharp pictures of one frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.quantities import Region
from spikedeblur.recording.exposures import ExposedFrame
from spikedeblur.recording.light import mixed_light


class Timing(Protocol):
    """Times of the pictures that are made of a frame."""

    def info(self, source: VideoInfo) -> VideoInfo:
        """The template of the video to write."""

    def count(self, blurry: VideoFrame, /) -> int:
        """Count the pictures of a frame."""

    def frames(self, blurry: VideoFrame, pictures: Sequence[np.ndarray]) -> Iterator[VideoFrame]:
        """The frames to write for `blurry`; `pictures` has as many as it is to have."""


@dataclass(frozen=True)
class Restored:
    """A frame and its sharp pictures, float32 (H, W, 3) sRGB, one for each target time.

    None where no spikes cover the exposure: the frame is then to stay as it is. not_finite: tiles
    left blurry since the frame given out before this one.
    """

    exposed: ExposedFrame
    pictures: Sequence[np.ndarray] | None
    not_finite: int = 0

    def cut(self, region: Region | None) -> Restored:
        """Cut a part out of the frame and all its pictures; None leaves all of them."""
        if region is None:
            return self
        exposed = replace(self.exposed, frame=self.exposed.frame.cut(region))
        if self.pictures is None:
            return replace(self, exposed=exposed)
        pictures = [picture[region.slices] for picture in self.pictures]
        return replace(self, exposed=exposed, pictures=pictures)

    def sharp_frames(self, timing: Timing, strength: float = 1.0) -> Iterator[VideoFrame]:
        """The frames to write for the one that was read, in its depth and by its curve.

        strength: 1 for the sharp pictures as they are, 0 for the blurry frame, between them light
        of both.
        """
        blurry = self.exposed.frame
        pictures = [blurry.rgb] * timing.count(blurry)
        if self.pictures is not None and strength > 0:
            sharp: Sequence[np.ndarray] = self.pictures
            if strength < 1:
                seen = self.exposed.rgb
                unchanged = seen.astype(np.float32) / np.float32(np.iinfo(seen.dtype).max)
                sharp = [mixed_light(unchanged, picture, strength) for picture in sharp]
            if (transfer := self.exposed.transfer) is not None:
                sharp = [transfer.encoded(picture, blurry.rgb) for picture in sharp]
            pictures = [to_integers(picture, blurry.rgb.dtype) for picture in sharp]
        return timing.frames(blurry, pictures)


def to_integers(picture: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Float picture in [0, 1] -> uint8 or uint16 over the whole scale, rounded to the nearest."""
    highest = np.iinfo(dtype).max
    return np.ascontiguousarray(np.rint(np.clip(picture, 0, 1) * highest).astype(dtype))
