"""How many threads of the processor are used."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from spikedeblur.errors import UsageError
from spikedeblur.vocabulary import MOST_THREADS

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
CONTROL_GROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """The cores that this process may use: by its affinity, and by its control group's quota."""
    own, quota = _own_cores(), _quota()
    return own if quota is None else max(1, min(own, math.ceil(quota)))


def _own_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quota() -> float | None:
    """Cores' worth of time that a container is given (cgroup v2, then v1); None without a limit."""
    try:
        time, period = (CONTROL_GROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            folder = CONTROL_GROUP / "cpu"
            time = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        cores = int(time) / int(period)
    except (ValueError, ZeroDivisionError):  # max: as much as there is
        return None
    return cores if cores > 0 else None


def _by_default() -> int | None:
    """Threads where none are asked for; None to leave it to the libraries, which know no quota."""
    if any(os.environ.get(name) for name in VARIABLES) or usable_cores() == _own_cores():
        return None
    return usable_cores()


def limit_threads(threads: int | None) -> None:
    """Let what computes use no more threads than that, whether it is loaded or will be.

    None: as many as there are usable cores. numpy's libraries count theirs when they are loaded, so
    that for them it has to be called first.
    """
    threads = _by_default() if threads is None else threads
    if threads is None:
        return
    for name in VARIABLES:
        os.environ[name] = str(threads)
    if "torch" in sys.modules:
        use_threads(threads)


def use_threads(threads: int | None) -> None:
    """Let torch use so many threads; None: as many as there are usable cores, or as it was told.

    Raises `UsageError` for no such number.
    """
    threads = _by_default() if threads is None else threads
    if threads is None:
        return
    if not 1 <= threads <= MOST_THREADS:
        raise UsageError(f"no such number of threads ({threads} seen) - give 1 to {MOST_THREADS}")
    import torch

    torch.set_num_threads(threads)
