"""Work that goes on in another thread while the network computes: reading ahead, writing behind.

Queues are short, so memory does not depend on the length of the video. Order is kept. What goes
wrong in a thread is raised where its results are used, as it was raised there. An iterator that is
read ahead is run, and closed, in one thread only; so is the function that is written behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from queue import Empty, Queue
from threading import Event, Thread
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Item = TypeVar("Item")

DEPTH = 2


class ReadAhead(Generic[Item]):
    """Iterates over `items`, which another thread fetches up to `depth` ahead. Context manager.

    When the block ends, however it does, the thread has ended too, and `items`, if a generator, is
    closed.
    """

    def __init__(self, items: Iterable[Item], depth: int = DEPTH) -> None:
        self._items = items
        self._fetched: Queue[tuple[Item] | BaseException | None] = Queue(depth)
        self._unwanted = Event()
        self._thread = Thread(target=self._fetch, name="read ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._unwanted.set()
        while self._thread.is_alive():  # it may be waiting for room in the queue
            _drain(self._fetched)
            self._thread.join(timeout=0.01)
        _drain(self._fetched)

    def __iter__(self) -> Iterator[Item]:
        while True:
            fetched = self._fetched.get()
            if fetched is None:
                return
            if isinstance(fetched, BaseException):
                raise fetched
            yield fetched[0]

    def _fetch(self) -> None:
        try:
            try:
                for item in self._items:
                    if self._unwanted.is_set():
                        return
                    self._fetched.put((item,))
                    del item  # it is the receiver's now
            finally:
                if close := getattr(self._items, "close", None):
                    close()
        except BaseException as error:
            self._fetched.put(error)
        else:
            self._fetched.put(None)


class WriteBehind:
    """Calls `write` with what is put, in its own thread that is at most `depth` behind.

    A context manager. When the block ends well, everything is written; when it raises, what waits
    is left. An error of `write` is raised by the next `put`, or at the end of the block.
    """

    def __init__(self, write: Callable[..., object], depth: int = DEPTH) -> None:
        self._write = write
        self._waiting: Queue[tuple[Any, ...] | None] = Queue(depth)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name="write behind", daemon=True)

    def put(self, *arguments: Any) -> None:
        """Have `write` called with these arguments; waits while `depth` other calls do."""
        self._raise()
        self._waiting.put(arguments)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            _drain(self._waiting)
        self._waiting.put(None)
        self._thread.join()
        if error is None:
            self._raise()

    def _work(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            if self._error is not None:
                continue  # so that nobody waits for room
            try:
                self._write(*waiting)
            except BaseException as error:
                self._error = error
            del waiting

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error


def _drain(queue: Queue[Item]) -> None:
    try:
        while True:
            queue.get_nowait()
    except Empty:
        pass
