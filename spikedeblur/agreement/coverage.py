"""Coverage of the frames by spikes, computed before any is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from spikedeblur.agreement.finding import Finding
from spikedeblur.errors import InputError
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.recording.exposures import Exposures, StreamExposures
from spikedeblur.recording.voxel_exposures import VoxelExposures


@dataclass(frozen=True)
class Coverage:
    """Of the frames of a video, as far as their number is known.

    frames: of the part that is read. covered: those of whose exposure spikes cover anything.
    partial: those of them of which it is not all.
    first_s, last_s: from when to when there are spikes, seconds on the video's clock.
    """

    frames: int
    covered: int
    partial: int
    first_s: float
    last_s: float

    @property
    def uncovered(self) -> int:
        """Frames without any spikes."""
        return self.frames - self.covered

    def check(self) -> None:
        """Raise `InputError` if spikes cover no frame at all."""
        if self.frames and not self.covered:
            raise InputError(
                f"the spikes cover none of the {self.frames} frames (they last from "
                f"{self.first_s:.3f} to {self.last_s:.3f} s on the video's clock) - check "
                "--offset, --spike-rate and --spike-size"
            )

    def finding(self) -> Finding | None:
        """Return the finding on frames that will pass unchanged; None if there are none."""
        if not self.uncovered:
            return None
        return Finding(
            "frames_uncovered",
            f"no spikes cover {self.uncovered} of {self.frames} frames (they last from "
            f"{self.first_s:.3f} to {self.last_s:.3f} s on the video's clock) - those pass "
            "unchanged; check --offset and --spike-rate",
            {"uncovered_frames": self.uncovered, "frames": self.frames},
        )


def reckoned(info: VideoInfo, first: VideoFrame, exposures: Exposures) -> Coverage | None:
    """The coverage of a video, by its length; None where that is not known.

    first: the first frame that is read. Frames are taken to follow each other evenly.
    """
    frames = info.frame_count_estimate
    if not frames:
        return None
    if not isinstance(exposures, StreamExposures):
        held = min(len(exposures), frames) if isinstance(exposures, VoxelExposures) else frames
        return Coverage(frames, held, 0, 0.0, float(held / info.average_rate))
    stream = exposures.stream
    start, interval = first.span
    opening = exposures.interval(start, interval)
    step = Fraction(stream.rate_hz) / info.average_rate if frames > 1 else opening.length
    # Exposure n is [opening.start + n step, opening.stop + n step) in ticks.
    before = _up_to(-opening.stop / step, frames)
    begun = _below((stream.ticks - opening.start) / step, frames)
    late = _below(-opening.start / step, frames)
    ended = _up_to((stream.ticks - opening.stop) / step, frames)
    covered, whole = max(begun - before, 0), max(ended - late, 0)
    last = stream.offset_s + stream.duration_s
    return Coverage(frames, covered, covered - whole, float(stream.offset_s), float(last))


def _below(value: Fraction, most: int) -> int:
    """Count those of 0, 1, ..., at most `most` numbers, that are below `value`."""
    return min(max(math.ceil(value), 0), most)


def _up_to(value: Fraction, most: int) -> int:
    """Count those of 0, 1, ..., at most `most` numbers, that are `value` or less."""
    return min(max(math.floor(value) + 1, 0), most)
