"""What comes out of restoration, and goes into the output: sharp pictures of one frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikedeblur.io.video_info import VideoFrame
from spikedeblur.output.slow_motion import SlowMotion
from spikedeblur.recording.exposures import ExposedFrame


@dataclass(frozen=True)
class Restored:
    """A frame and its sharp pictures, float32 (H, W, 3), one for each target time.

    None where no spikes cover the exposure: the frame is then to stay as it is. not_finite: tiles
    left blurry since the frame given out before this one.
    """

    exposed: ExposedFrame
    pictures: Sequence[np.ndarray] | None
    not_finite: int = 0

    def sharp_frames(self, slow_motion: SlowMotion) -> Iterator[VideoFrame]:
        """The frames to write for the one that was read, in its depth."""
        blurry = self.exposed.frame
        pictures = [blurry.rgb] * slow_motion.factor
        if self.pictures is not None:
            pictures = [to_integers(picture, blurry.rgb.dtype) for picture in self.pictures]
        return slow_motion.frames(blurry, pictures)


def to_integers(picture: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Float picture in [0, 1] -> uint8 or uint16 over the whole scale, rounded to the nearest."""
    highest = np.iinfo(dtype).max
    return np.ascontiguousarray(np.rint(np.clip(picture, 0, 1) * highest).astype(dtype))
