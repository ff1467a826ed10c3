"""Memory: how much there is, and how much this process has used."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

# Names of glibc's mallopt: above the first, memory comes from the system piece by piece and goes
# back at once; what is free beyond the second goes back, too; the third limits heaps of threads.
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_ARENA_MAX = -3, -1, -8


def available_bytes() -> int:
    """RAM that can be taken without swapping: the machine's, or what the control group leaves.

    Falls back to a quarter of the physical memory where the system does not tell.
    """
    machine = _meminfo_available()
    if machine is None:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    group = _control_group_available()
    return machine if group is None else min(machine, group)


def _meminfo_available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _control_group_available() -> int | None:
    """Return what a container's memory limit leaves (cgroup v2, then v1); None without a limit."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            folder = Path("/sys/fs/cgroup")
            return max(int((folder / limit).read_text()) - int((folder / used).read_text()), 0)
        except (OSError, ValueError):
            continue
    return None


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far, in MB of 10^6 bytes."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def resident_mb() -> float:
    """Resident memory of this process, in MB of 10^6 bytes; the peak so far where that is all."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return peak_rss_mb()
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def reset_peak() -> None:
    """Let `peak_rss_mb` count from now on, where the system can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def give_back_freed() -> None:
    """Return to the system what is free but held for reuse, where the C library can (glibc)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_freed() -> None:
    """Have this process keep up to 2 GB that it has freed for reuse, where it can (glibc).

    A network takes and frees large tensors all the time. Each would be new pages, which the system
    has to fill with zeros first: a quarter of a pass's time. All threads share what is kept.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
        library.mallopt(M_ARENA_MAX, 1)
