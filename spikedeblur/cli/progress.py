"""How far a command is: what is counted, how fast it goes and how long it will take."""

from __future__ import annotations

import time
from contextlib import suppress
from threading import RLock, Timer
from types import TracebackType
from typing import Self

from spikedeblur.cli.whole import WholeBatch

MOMENT_S = 0.9  # what is done sooner needs no progress
FIRST_SHOWN_S = 0.5  # after which it is shown that nothing is done yet
FEW = 3  # frames that say nothing of the time to go yet: the first waits for a whole window


class Progress:
    """Counts frames and says nothing; the displays below derive from it. A context manager.

    What takes longer than a moment is shown then, though nothing of it may be done yet.

    label: what is worked on. unit: what is counted where it is not frames. batch: all items, of
    which this is number `index` from 0, None for all of them. input: the file, for JSON. note:
    what else there is to say. part: what a slow frame is told in.
    """

    def __init__(
        self,
        label: str,
        unit: str = "frames",
        *,
        batch: WholeBatch | None = None,
        index: int | None = 0,
        input: str | None = None,
    ) -> None:
        self.label, self.unit, self.note = label, unit, ""
        self.batch, self.index, self.input = batch, index, input
        self.part = "tile"
        self.total: int | None = None
        self.frames = 0
        self._before: int | None = None  # done by an earlier run, when one is resumed
        self._began = time.monotonic()
        self.tile = ""
        self._passes: int | None = None
        self._passed, self._passed_s = 0, 0.0
        self._work_from, self._tile_seen = 0.0, False
        self._first = Timer(FIRST_SHOWN_S, self._show_first)
        self._first.daemon = True
        self._lock, self._ended = RLock(), False

    def begin(self, total: int | None, passes: int | None = None, *, slow: bool = True) -> None:
        """Note what is expected: frames, and passes of the network over all of them.

        slow: it takes long enough for a word at once.
        """
        self.total, self._passes = total, passes
        if slow:
            self.show(at_once=True)

    def begin_work(self) -> None:
        """Note that preparations are over: the time of what is done counts from now on."""
        self._work_from = self.seconds

    def advance_tile(self, tile: int, tiles: int) -> None:
        """Note that so many tiles of a window are done."""
        if not self._tile_seen:
            self._tile_seen = True
            self.begin_work()
        self._passed += tile > 0
        self._passed_s = self._worked_s
        self.tile = f"{self.part} {tile}/{tiles}" if tiles > 1 and tile < tiles else ""
        self._changed()

    def advance_to(self, frames: int, total: int | None) -> None:
        """Note how many frames are done, and how many are expected, None if that is not known."""
        if self._before is None:
            self._before = max(frames - 1, 0)
        self.frames, self.total = frames, total
        self._changed()

    def _changed(self) -> None:
        if self.batch is not None and self.index is not None:
            self.batch.advance(self.index, self.share)
        self.show()

    def show(self, at_once: bool = False) -> None:
        """Tell how far it is, if that is due; called after every frame and tile."""
        with self._lock:
            if not self._ended and self._display(at_once):
                self._first.cancel()

    def _show_first(self) -> None:
        """Show it in a thread of its own, whatever the others wait for."""
        with suppress(OSError, ValueError):  # of a stderr that is closed
            self.show(at_once=True)

    def _display(self, at_once: bool) -> bool:
        """Show it, if that is due; whether it was."""
        return False

    @property
    def _worked_s(self) -> float:
        return self.seconds - self._work_from

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._began

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1; 0 where that is not known."""
        if self.batch is not None and self.index is None:
            return self.batch.share
        if self.frames and self.total:
            return min(self.frames / self.total, 1.0)
        return min(self._passed / self._passes, 1.0) if self._passes else 0.0

    @property
    def _done(self) -> int:
        """Frames done by this run."""
        return self.frames - (self._before or 0)

    @property
    def fps(self) -> float:
        """Frames per second so far."""
        return self._done / max(self.seconds, 1e-9)

    @property
    def speed(self) -> str:
        """`fps`, with its unit."""
        return f"{self.fps:.2f} {'fps' if self.unit == 'frames' else f'{self.unit}/s'}"

    @property
    def eta_s(self) -> float | None:
        """Seconds to go, if the total is known and a tile or more than a few frames are done."""
        if self.batch is not None and self.index is None:
            return self.batch.eta_s
        if self.total is None:
            return None
        left = []
        if self._passed and self._passes is not None:
            left.append(max(self._passes - self._passed, 0) * self._passed_s / self._passed)
        if self._done >= min(FEW, self.total):
            left.append(max(self.total - self.frames, 0) * self._worked_s / max(self._done, 1))
        # Frames come late, by a window; and passes may be fewer, of frames that no spikes cover.
        return min(left, default=None)

    @property
    def batch_eta_s(self) -> float | None:
        """Seconds to go for all items of a batch; None where there is one, or nothing to go by."""
        if self.batch is None or self.batch.count < 2 or self.index is None:
            return None
        if self.batch.eta_s is None:
            return None
        return max(self.batch.eta_s, self.eta_s or 0.0)

    def __enter__(self) -> Self:
        self._first.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._ended = True
            self._first.cancel()
            self._put_away()

    def _put_away(self) -> None:
        """Take away what is shown, where it should not stay."""
