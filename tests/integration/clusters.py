"""A Ray cluster on this machine, for tests: its machines, its workers, and commands on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.documents import ROOT
from tests.integration.killing import Job

METHOD = ["--method", "joint", "--codec", "ffv1", "--segment", "4"]
WORKER = "ray::do_task"


def call(*jobs: Job) -> list[str]:
    spikes = [f"--spikes={job.spikes}" for job in jobs]
    return [*(str(job.video) for job in jobs), *spikes, *METHOD]


@contextmanager
def on_two_workers(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process that has two cores."""
    two = set(sorted(os.sched_getaffinity(0))[:2])
    if len(two) < 2:
        pytest.skip("one core makes no cluster of two workers")
    with subprocess.Popen(
        [sys.executable, "-m", "spikedeblur", "deblur", *arguments, "--cluster", "local"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, two),
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The processes that descend from one and are at work on a task."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
            names[int(entry.name)] = (entry / "cmdline").read_text()
        except OSError:
            continue
        parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])

    def descends(pid: int) -> bool:
        while pid in parents and pid != process.pid:
            pid = parents[pid]
        return pid == process.pid

    return [pid for pid, name in names.items() if name.startswith(WORKER) and descends(pid)]


def wait_for(something: Callable[[], object]) -> None:
    until = time.monotonic() + 240
    while not something():
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.05)


@contextmanager
def machine(environment: dict[str, str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A machine of one core in a cluster, as far as Ray knows."""
    ray = str(Path(sys.executable).with_name("ray"))
    each = ["--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats"]
    with subprocess.Popen(
        [ray, "start", "--block", *each, *options],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def raylet(process: subprocess.Popen[bytes]) -> int | None:
    """What makes a machine of a process."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return next((pid for pid, name in commands.items() if b"/raylet\0" in name), None)
