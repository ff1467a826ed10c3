"""Frames that need nothing of each other, several at once, each on one core.

The small operations on a frame share out badly among threads: two frames at once take half the time
of one after the other with two threads each, and no thread waits for another one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

import torch

Given = TypeVar("Given")
Made = TypeVar("Made")


class SideBySide:
    """Runs functions in as many threads as torch may use (`torch.get_num_threads`).

    A context manager. Torch computes with one thread in each of them.
    """

    def __init__(self) -> None:
        self._count = torch.get_num_threads()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self._count > 1:
            self._pool = ThreadPoolExecutor(
                self._count, "side by side", lambda: torch.set_num_threads(1)
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            torch.set_num_threads(self._count)  # what a thread sets holds for new ones, too

    def map(self, function: Callable[[Given], Made], items: Iterable[Given]) -> Iterator[Made]:
        """Yield what `function` makes of each item, in order, as many ahead as there are threads.

        Items are taken by the caller's thread. An error comes where its result would have been.
        """
        if self._pool is None:
            yield from map(function, items)
            return
        waiting: deque[Future[Made]] = deque()
        for item in items:
            waiting.append(self._pool.submit(function, item))
            del item
            if len(waiting) > self._count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
