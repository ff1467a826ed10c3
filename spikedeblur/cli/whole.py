"""How far a whole batch is: its items by size, what of each is done, and the time to go."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

TOLD_SHARE = 0.005  # of less, most of the time went into starting: seconds would become hours


class WholeBatch:
    """The items of a batch, which take time by the sizes of their files.

    Items that are left out, since they are done already or fail at once, do not count.
    """

    def __init__(self, inputs: Sequence[Path]) -> None:
        self.count = len(inputs)
        sizes = [_bytes(path) for path in inputs]
        known = [size for size in sizes if size]
        typical = sum(known) / len(known) if known else 1.0
        self._sizes = [size or typical for size in sizes]
        self._shares = [0.0] * self.count
        self._began = time.monotonic()

    def advance(self, index: int, share: float) -> None:
        """Note how much of an item is done, 0 to 1."""
        self._shares[index] = share

    def leave_out(self, index: int) -> None:
        """Let an item not count."""
        self._sizes[index] = 0.0

    @property
    def share(self) -> float:
        """How much of all is done, 0 to 1."""
        done = sum(size * share for size, share in zip(self._sizes, self._shares, strict=True))
        return done / max(sum(self._sizes), 1e-9)

    @property
    def eta_s(self) -> float | None:
        """Seconds to go, if enough is done to go by."""
        share = self.share
        elapsed = time.monotonic() - self._began
        return elapsed * (1 - share) / share if share >= TOLD_SHARE else None


def _bytes(path: Path) -> float:
    """The size of a video, or of the images of a sequence; 0 where that is not known."""
    numbered = re.sub(r"%0?\d*d", "*", path.name)
    files = path.parent.glob(numbered) if numbered != path.name else [path]
    try:
        return float(sum(each.stat().st_size for each in files if each.is_file()))
    except OSError:
        return 0.0


def clock_time(seconds: float) -> str:
    """H:MM:SS."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
