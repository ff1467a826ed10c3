"""The times a camera took its frames at, found again where a container has rounded them.

Matroska counts milliseconds. At 60 frames a second that moves a frame by up to half of one, which
are ten ticks of a spike camera at 20 kHz; the spikes of its exposure would be the wrong ones. If
the stream states its rate, and the frame lies where rounding puts frame number k, its time was
k / rate.
"""

from __future__ import annotations

from fractions import Fraction


class RateGrid:
    """Frames at `rate` per second, of whose times only roundings to whole ticks are known.

    tick: seconds. start: time stamp of the stream's first frame, seconds. The grid passes through
    time 0 if that agrees with `start`, else through `start`, which is itself rounded: frames may
    then be off by a whole tick instead of half of one.
    """

    def __init__(self, rate: Fraction, tick: Fraction, start: Fraction) -> None:
        self._rate = rate
        self._tick = tick
        self._origin, self._tolerance = Fraction(0), tick / 2
        if self._time(start) is None:
            self._origin, self._tolerance = start, tick

    @classmethod
    def rounded(cls, rate: Fraction, tick: Fraction, start: Fraction) -> RateGrid | None:
        """The grid; None where whole ticks hold its times exactly or cannot tell frames apart."""
        interval = 1 / rate
        if interval <= 2 * tick or (interval / tick).denominator == 1:
            return None
        return cls(rate, tick, start)

    def span(
        self, time: Fraction, following: Fraction | None, interval: Fraction
    ) -> tuple[Fraction, Fraction]:
        """(time, interval) of a frame, as exactly as they are known; all in seconds.

        following: the time stamp of the next frame, None for the last. interval: until then, as
        the file has it. A frame that is not on the grid stays where the file has it.
        """
        begin = self._time(time)
        if following is not None:
            end = self._time(following) or following
        elif begin is not None and abs(interval - 1 / self._rate) <= self._tick:
            end = begin + 1 / self._rate
        else:
            end = (time if begin is None else begin) + interval
        begin = time if begin is None else begin
        return (begin, end - begin) if end > begin else (time, interval)

    def _time(self, stamp: Fraction) -> Fraction | None:
        """The time on the grid that was rounded to `stamp`; None if none was."""
        exact = self._origin + round((stamp - self._origin) * self._rate) / self._rate
        return exact if abs(stamp - exact) <= self._tolerance else None
