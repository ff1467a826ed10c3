"""Times that go on where a file's own start again.

Recordings that were joined byte by byte, as MPEG-TS can be, begin anew in the middle; so do those
of a camera whose clock was set back. What follows is moved to the end of what was before.
"""

from __future__ import annotations

from fractions import Fraction

RESTART_S = Fraction(1, 4)
"""Times that lie this far back, in seconds, have started again; less is disorder."""


class Continuity:
    """Follows the times of one stream, counted in `time_base`; `restarts` counts where they do."""

    def __init__(self, time_base: Fraction) -> None:
        self.restarts = 0
        self._far = RESTART_S / time_base
        self._shift = 0
        self._newest: int | None = None
        self._end = 0

    def moved(self, stamp: int) -> int:
        """Return a time moved to follow those before it."""
        if self._newest is not None and self._newest - (stamp + self._shift) >= self._far:
            self._shift = self._end - stamp
            self.restarts += 1
        return stamp + self._shift

    def note(self, stamp: int, duration: int) -> bool:
        """Take a moved time as the newest one; False, and not taken, if it does not increase."""
        if self._newest is not None and stamp <= self._newest:
            return False
        self._newest, self._end = stamp, stamp + duration
        return True
