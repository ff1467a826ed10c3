"""Slow motion: which instants of an exposure are restored, and when they are shown.

An exposure is cut into N equal parts and the middle of each is restored, since only then is the
frame's light known; the N frames share the frame's interval evenly. Where the shutter is open for
the whole interval, motion is as smooth as N times the rate can show it. Where it is open for half,
the N frames show half of the motion, and the next frame makes up for the rest in one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikedeblur.errors import UsageError
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.vocabulary import KEEP, SLOWMO_TIMINGS, STRETCH

MOST = 1000  # sharp frames for a blurry one


@dataclass(frozen=True)
class SlowMotion:
    """`factor` sharp frames for each blurry one.

    timing: keep, the video lasts as long at `factor` times the rate; or stretch, it keeps the rate
    and lasts `factor` times as long, its clock's zero staying where it is.
    Raises `UsageError` for values that cannot be: spikes tell of some hundred instants at most.
    """

    factor: int = 1
    timing: str = KEEP

    def __post_init__(self) -> None:
        if not 1 <= self.factor <= MOST:
            raise UsageError(
                f"no such number of frames (--slowmo {self.factor}) - give 1 to {MOST}"
            )
        if self.timing not in SLOWMO_TIMINGS:
            known = " or ".join(SLOWMO_TIMINGS)
            raise UsageError(f"unknown timing ({self.timing!r}) - give {known}")

    @property
    def slower(self) -> int:
        """The factor by which the output lasts longer."""
        return self.factor if self.timing == STRETCH else 1

    @property
    def target_times(self) -> list[float]:
        """The instants to restore, in [-0.5, 0.5] of the exposure, in the order of time."""
        return [(2 * number + 1) / (2 * self.factor) - 0.5 for number in range(self.factor)]

    def info(self, source: VideoInfo) -> VideoInfo:
        """The template of the video to write."""
        faster = self.factor // self.slower
        return replace(
            source,
            average_rate=source.average_rate * faster,
            time_base=source.time_base / faster,
            slower=self.slower,
        )

    def count(self, _blurry: VideoFrame) -> int:
        """Count the pictures of a frame."""
        return self.factor

    def frames(self, blurry: VideoFrame, pictures: Sequence[np.ndarray]) -> Iterator[VideoFrame]:
        """The frames to write for `blurry`, evenly spaced; `pictures` are one for each."""
        ticks = blurry.interval / blurry.time_base
        faster = self.factor // self.slower
        for number, rgb in enumerate(pictures):
            yield VideoFrame(
                index=blurry.index * self.factor + number,
                pts=blurry.pts * self.factor + int(number * ticks),
                time_base=blurry.time_base / faster,
                duration=blurry.duration,
                interval=blurry.interval / faster,
                rgb=rgb,
                decoded=blurry.decoded,
                alpha=blurry.alpha,
                notes=blurry.notes,
            )
