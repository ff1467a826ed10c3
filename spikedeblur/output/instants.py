"""Single instants: which frames' exposures they lie in, and when their pictures are shown."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from spikedeblur.errors import UsageError
from spikedeblur.io.video_info import VideoFrame, VideoInfo

LISTED = 8  # exposures in an error
FINEST = 10**9  # ticks of a second
Shutter = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Instants:
    """Instants to restore, in place of the middle of every exposure.

    times: seconds on the video's clock, increasing, by the number of the frame whose exposure they
    lie in. targets: the same in [-0.5, 0.5] of that exposure.
    """

    times: Mapping[int, Sequence[Fraction]]
    targets: Mapping[int, Sequence[float]]

    @classmethod
    def placed(
        cls, wanted: Iterable[Fraction], shutters: Iterable[tuple[int, Shutter]]
    ) -> Instants:
        """Find the exposure of each instant; one on the border of two belongs to the later one.

        shutters: the number of each frame, and when its shutter opened and closed, in order; not
        read further than the last instant needs. Raises `UsageError`, which lists the exposures,
        for an instant in none.
        """
        instants = sorted(set(wanted))
        if not instants:
            raise UsageError("no instant is given (--instants) - give seconds, such as 0.25,0.5")
        known: list[tuple[int, Shutter]] = []
        for number, shutter in shutters:
            known.append((number, shutter))
            if shutter[0] > instants[-1]:
                break
        times: dict[int, list[Fraction]] = {}
        targets: dict[int, list[float]] = {}
        openings = [opened for _, (opened, _) in known]
        for instant in instants:
            place = bisect_right(openings, instant) - 1
            if place < 0 or instant > known[place][1][1]:
                raise _outside(instant, [shutter for _, shutter in known])
            number, (opened, closed) = known[place]
            times.setdefault(number, []).append(instant)
            passed = (instant - opened) / (closed - opened)
            targets.setdefault(number, []).append(float(passed - Fraction(1, 2)))
        return cls(times, targets)

    @property
    def all(self) -> list[Fraction]:
        """Every instant, in the order of time."""
        return sorted(time for each in self.times.values() for time in each)

    @property
    def time_base(self) -> Fraction:
        """A unit that counts every instant exactly, but not below a nanosecond."""
        ticks = math.lcm(*(time.denominator for time in self.all))
        return Fraction(1, min(ticks, FINEST))

    def info(self, source: VideoInfo) -> VideoInfo:
        """The template of the video to write: pictures alone, since sound would not fit them."""
        return replace(pictures_alone(source, len(self.all)), time_base=self.time_base)

    def count(self, blurry: VideoFrame) -> int:
        """Count the pictures of a frame."""
        return len(self.times[blurry.index])

    def frames(self, blurry: VideoFrame, pictures: Sequence[np.ndarray]) -> Iterator[VideoFrame]:
        """The frames to write for `blurry`, each at its instant, shown until the next one."""
        instants, unit = self.all, self.time_base
        steps = {one: other - one for one, other in pairwise(instants)}
        for time, rgb in zip(self.times[blurry.index], pictures, strict=True):
            interval = steps.get(time, blurry.interval)
            yield VideoFrame(
                index=instants.index(time),
                pts=round(time / unit),
                time_base=unit,
                duration=max(round(interval / unit), 1),
                interval=interval,
                rgb=rgb,
                decoded=blurry.decoded,
                alpha=blurry.alpha,
                notes=blurry.notes,
            )


def pictures_alone(source: VideoInfo, count: int) -> VideoInfo:
    """The template of a video of so many pictures and nothing else."""
    return replace(source, frame_count_estimate=count, first_number=None, path=None, streams=())


def _outside(instant: Fraction, shutters: Sequence[Shutter]) -> UsageError:
    """Return the error for an instant at which no shutter was open."""
    near = sorted(shutters, key=lambda each: abs(each[0] + each[1] - 2 * instant))[:LISTED]
    listed = ", ".join(
        f"{float(opened):.6g} to {float(closed):.6g} s" for opened, closed in sorted(near)
    )
    those = "the nearest exposures" if len(shutters) > LISTED else "exposures"
    return UsageError(
        f"no shutter is open at {float(instant):.6g} s ({those}: {listed}) - "
        "give instants within an exposure"
    )
