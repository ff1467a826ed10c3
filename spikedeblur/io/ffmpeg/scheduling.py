"""Scheduling of the process kept as it was while a library opens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_THREADS = "/proc/self/task"


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Leave the process scheduled as it was: SVT-AV1, where it may, makes all of its threads
    real-time ones, before which nothing else on the machine gets its turn.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for thread in os.listdir(_THREADS) if os.path.isdir(_THREADS) else ():
            with suppress(OSError):  # a thread may have ended, and what is not ours to set is left
                if os.sched_getscheduler(int(thread)) != policy:
                    os.sched_setscheduler(int(thread), policy, parameters)
