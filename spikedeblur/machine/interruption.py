"""SIGTERM, SIGHUP and Ctrl-C: the work in progress ends and is saved, then the signal acts."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Under torchrun one Ctrl-C arrives twice: from the terminal, and passed on by torchrun.
SAME_SIGNAL_S = 3.0


class StopSignal:
    """A context in which the first signal is remembered in `received`; a later one acts at once.

    same_signal_s: within so many seconds, a signal counts as the one before, come twice.
    A signal that is ignored stays ignored (nohup). Signals reach the main thread only; elsewhere
    the context does nothing.
    """

    def __init__(self, same_signal_s: float | None = None) -> None:
        self.received = 0
        self._same_signal_s = SAME_SIGNAL_S if same_signal_s is None else same_signal_s
        self._received_at = 0.0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            self._previous = {
                number: signal.signal(number, self._remember)
                for number in HANDLED
                if signal.getsignal(number) != signal.SIG_IGN
            }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def deliver(self, number: int) -> None:
        """Let a signal do what it did before this context, now that everything is saved."""
        self._restore()
        signal.raise_signal(number)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.received:
            self.received, self._received_at = number, now
        elif now - self._received_at > self._same_signal_s:
            self.deliver(number)

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
