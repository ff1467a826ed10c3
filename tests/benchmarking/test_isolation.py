"""A generator in a process of its own: same items, same errors, memory of its own."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from spikedeblur.benchmarking.isolation import in_own_process
from spikedeblur.errors import InputError, SpikedeblurError
from spikedeblur.machine.memory import peak_rss_mb


def pids(count: int) -> Iterator[int]:
    for _ in range(count):
        yield os.getpid()


def marks(path: Path) -> Iterator[int]:
    """Leaves a mark each time it is asked for an item."""
    for number in range(9):
        with path.open("a") as file:
            file.write("x")
        yield number


def failing() -> Iterator[int]:
    logging.getLogger("spikedeblur").warning("about to %s", "fail")
    yield 1
    raise InputError("no such thing (7) - give another")


def crashing() -> Iterator[int]:
    yield 1 // 0


def killed() -> Iterator[int]:
    yield 1
    os.kill(os.getpid(), signal.SIGKILL)


def peak(megabytes: int) -> Iterator[float]:
    held = bytes([1]) * (megabytes * 10**6)
    assert held
    yield peak_rss_mb()


def test_items_come_from_one_other_process():
    [first, *others] = in_own_process(pids, 3)
    assert first != os.getpid() and others == [first] * 2


def test_work_stands_still_between_items_and_ends_with_the_caller(tmp_path):
    items = in_own_process(marks, tmp_path / "marks")
    assert [next(items), next(items)] == [0, 1]
    assert (tmp_path / "marks").read_text() == "xx"
    items.close()
    assert (tmp_path / "marks").read_text() == "xx"


def test_errors_and_warnings_reach_the_caller(caplog):
    caplog.set_level(logging.WARNING, "spikedeblur")
    items = in_own_process(failing)
    assert next(items) == 1
    with pytest.raises(InputError, match=r"no such thing \(7\)"):
        next(items)
    assert caplog.messages == ["about to fail"]


def test_a_bug_keeps_its_traceback():
    with pytest.raises(RuntimeError, match=r"(?s)in crashing.*ZeroDivisionError"):
        next(in_own_process(crashing))


def test_a_process_that_is_killed():
    items = in_own_process(killed)
    assert next(items) == 1
    with pytest.raises(SpikedeblurError, match=r"SIGKILL.* - was there memory enough"):
        next(items)


def test_memory_of_one_says_nothing_of_the_next():
    [hungry], [frugal] = in_own_process(peak, 100), in_own_process(peak, 1)
    assert hungry - frugal == pytest.approx(99, abs=9)
