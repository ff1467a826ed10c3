"""Reading ahead and writing behind: order, bounds, errors as they are, and no thread left over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from spikedeblur.machine.ahead import ReadAhead, WriteBehind


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = threading.active_count()
    yield
    wait_for(lambda: threading.active_count() <= before)


def wait_for(condition) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


class Source:
    """Counts, and notes which threads ran and closed it."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.given = 0
        self.threads: set[int] = set()
        self.closed = False
        self._count, self._error = count, error

    def __iter__(self) -> Iterator[int]:
        return self.items()

    def items(self) -> Iterator[int]:
        try:
            for number in range(self._count):
                self.threads.add(threading.get_ident())
                self.given += 1
                yield number
            if self._error:
                raise self._error
        finally:
            self.threads.add(threading.get_ident())
            self.closed = True


class TestReading:
    def test_everything_comes_in_order_from_one_other_thread(self):
        source = Source(1000)
        with ReadAhead(source.items()) as items:
            assert list(items) == list(range(1000))
        assert source.closed and len(source.threads) == 1
        assert threading.get_ident() not in source.threads

    @pytest.mark.parametrize("depth", [1, 3])
    def test_it_runs_ahead_no_further_than_the_queue(self, depth):
        source = Source(100)
        with ReadAhead(source.items(), depth) as items:
            coming = iter(items)
            next(coming)
            wait_for(lambda: source.given == depth + 2)  # one out, `depth` waiting, one in hand
            time.sleep(0.05)
            assert source.given == depth + 2

    def test_it_works_while_the_reader_is_busy(self):
        """Twenty times 5 ms here and 5 ms there take little more than 100 ms together."""

        def slow() -> Iterator[int]:
            for number in range(20):
                time.sleep(0.005)
                yield number

        began = time.perf_counter()
        with ReadAhead(slow()) as items:
            for _ in items:
                time.sleep(0.005)
        assert time.perf_counter() - began < 0.175

    def test_an_error_comes_after_what_was_read_before_it(self):
        error, seen = ValueError("damaged"), []
        with pytest.raises(ValueError) as caught, ReadAhead(Source(5, error).items()) as items:
            for item in items:
                seen.append(item)
        assert caught.value is error and seen == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("read", [0, 1, 7])
    def test_leaving_early_closes_the_source(self, read):
        source = Source(10**9)
        with pytest.raises(KeyboardInterrupt), ReadAhead(source.items()) as items:
            coming = iter(items)
            for _ in range(read):
                next(coming)
            wait_for(lambda: source.given)
            raise KeyboardInterrupt
        assert source.closed and source.given <= read + 4

    def test_nothing_to_read(self):
        with ReadAhead([]) as items:
            assert list(items) == []


class TestWriting:
    def test_everything_is_written_in_order_by_one_other_thread(self):
        written, threads = [], set()

        def write(one, other):
            written.append((one, other))
            threads.add(threading.get_ident())

        with WriteBehind(write) as behind:
            for number in range(1000):
                behind.put(number, -number)
        assert written == [(number, -number) for number in range(1000)]
        assert len(threads) == 1 and threading.get_ident() not in threads

    def test_it_is_behind_by_no_more_than_the_queue(self):
        gate, put = threading.Event(), []

        def produce() -> None:
            with WriteBehind(lambda item: gate.wait(), depth=2) as behind:
                for number in range(10):
                    behind.put(number)
                    put.append(number)

        producer = threading.Thread(target=produce)
        producer.start()
        wait_for(lambda: len(put) == 3)  # one being written, two waiting
        time.sleep(0.05)
        assert len(put) == 3
        gate.set()
        producer.join()
        assert len(put) == 10

    @pytest.mark.parametrize("fatal", [0, 5, 9])
    def test_an_error_is_raised_and_nothing_is_written_after_it(self, fatal):
        error, written = OSError("disk full"), []

        def write(item):
            if item == fatal:
                raise error
            written.append(item)

        with pytest.raises(OSError) as caught, WriteBehind(write) as behind:
            for number in range(10):
                behind.put(number)
        assert caught.value is error and written == list(range(fatal))

    def test_after_an_error_outside_what_waits_is_left(self):
        gate, written = threading.Event(), []

        def write(item):
            gate.wait()
            written.append(item)

        with pytest.raises(KeyboardInterrupt), WriteBehind(write, depth=2) as behind:
            for number in range(3):
                behind.put(number)
            threading.Timer(0.05, gate.set).start()
            raise KeyboardInterrupt
        assert written == [0]
