"""Frames at once, each on one core: in order, a few ahead, and errors where they belong."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from spikedeblur.machine.side_by_side import SideBySide


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_order_is_kept_however_long_each_takes(threads):
    with SideBySide() as workers:
        slow_first = workers.map(lambda n: time.sleep(0.003 * (5 - n)) or n, range(6))
        assert list(slow_first) == list(range(6))


def test_few_are_taken_before_the_first_is_given(threads):
    taken = []
    with SideBySide() as workers:
        results = workers.map(lambda n: n, (taken.append(n) or n for n in range(100)))
        assert next(results) == 0
        assert len(taken) <= threads + 1


def test_as_many_at_once_as_threads_each_with_one(threads):
    meeting = threading.Barrier(threads, timeout=10)

    def met(_: int) -> int:
        meeting.wait()
        return torch.get_num_threads()

    with SideBySide() as workers:
        assert set(workers.map(met, range(2 * threads))) == {1}
    assert torch.get_num_threads() == threads


def test_an_error_comes_in_its_place(threads):
    with SideBySide() as workers:
        results = workers.map(lambda n: 1 // (n - 2), range(5))
        assert [next(results), next(results)] == [-1, -1]
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_a_block_that_ends_early_leaves_no_thread(threads):
    before = threading.active_count()
    with SideBySide() as workers:
        next(workers.map(lambda n: n, range(50)))
    assert threading.active_count() == before
