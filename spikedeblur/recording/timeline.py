"""Clocks: which ticks of the spike stream fall into a video frame's exposure.

Times are exact fractions of a second on the video's own clock (pts x time_base). Tick n of the
stream covers [n, n + 1) in ticks and begins at offset_s + n / rate_hz.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.jumps import Gaps

__all__ = ["Interval", "coverage", "exposure_interval", "frame_interval", "frame_intervals"]

# A lone frame without a duration has no interval to be measured; any player shows it like this.
LONE_FRAME_INTERVAL = Fraction(1, 25)


@dataclass(frozen=True)
class Interval:
    """[start, stop) in ticks, fractions allowed, stop > start; may reach beyond the stream."""

    start: Fraction
    stop: Fraction

    @property
    def length(self) -> Fraction:
        """Length in ticks."""
        return self.stop - self.start

    def clip(self, ticks: int) -> Interval | None:
        """The part inside a stream of `ticks` ticks; None if there is none."""
        return self._between(0, ticks)

    def seen(self, ticks: int, gaps: Gaps = ()) -> Fraction:
        """Length in ticks of what a stream of `ticks` ticks holds of it, but for its gaps."""
        inside = self.clip(ticks)
        if inside is None:
            return Fraction(0)
        lost = (inside._between(*gap) for gap in gaps)
        return inside.length - sum(each.length for each in lost if each)

    def _between(self, first: int, stop: int) -> Interval | None:
        low, high = max(self.start, Fraction(first)), min(self.stop, Fraction(stop))
        return Interval(low, high) if high > low else None


def exposure_interval(
    pts_s: Fraction,
    interval_s: Fraction,
    exposure_s: Fraction,
    offset_s: Fraction,
    rate_hz: Fraction,
    start_s: Fraction | None = None,
) -> Interval:
    """The ticks during which the shutter of one frame was open.

    pts_s: the frame's time stamp; interval_s: how long it is shown; exposure_s: how long the
    shutter was open; offset_s: when tick 0 began; start_s: how long after pts_s the shutter
    opened. Without start_s the exposure is centred on pts_s + interval_s / 2.
    Raises UsageError if the interval, the exposure or the rate is not positive.
    """
    for name, value in (("interval", interval_s), ("exposure", exposure_s), ("rate", rate_hz)):
        if value <= 0:
            raise UsageError(f"{name} must be above zero ({float(value):g} seen) - give its value")
    opening = (interval_s - exposure_s) / 2 if start_s is None else start_s
    start = (pts_s + opening - offset_s) * rate_hz
    return Interval(start, start + exposure_s * rate_hz)


def coverage(interval: Interval, ticks: int, gaps: Gaps = ()) -> Fraction:
    """Return the part of the interval that a stream of `ticks` ticks covers, 0 to 1.

    gaps: ticks of which nothing was recorded.
    """
    return interval.seen(ticks, gaps) / interval.length


def frame_interval(
    pts_s: Fraction,
    next_pts_s: Fraction | None,
    duration_s: Fraction | None,
    previous_s: Fraction | None,
) -> Fraction:
    """Return how long a frame is shown, in seconds: up to the next frame; the last one for its own
    duration, or as long as the one before it.
    """
    if next_pts_s is not None and next_pts_s > pts_s:
        return next_pts_s - pts_s
    if duration_s is not None and duration_s > 0:
        return duration_s
    return previous_s or LONE_FRAME_INTERVAL


def frame_intervals(
    stamps: Iterable[tuple[Fraction, Fraction | None]],
) -> Iterator[tuple[Fraction, Fraction]]:
    """(pts, duration or None) of each frame, seconds -> (pts, interval), one frame behind."""
    coming = iter(stamps)
    current, interval = next(coming, None), None
    while current is not None:
        following = next(coming, None)
        pts_s, duration_s = current
        interval = frame_interval(pts_s, following[0] if following else None, duration_s, interval)
        yield pts_s, interval
        current = following
