"""A generator run in a process of its own, in lock step.

Memory is counted by process, and never all given back: only in a process of its own does a method's
memory say nothing of the methods before it. Lock step keeps what the caller does with one item from
competing with the making of the next.
"""

from __future__ import annotations

import logging
import multiprocessing
import queue
import signal
import traceback
from collections.abc import Callable, Iterator
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from spikedeblur.errors import SpikedeblurError

LOGGER = logging.getLogger("spikedeblur")
Item = TypeVar("Item")


def in_own_process(function: Callable[..., Iterator[Item]], *args: Any) -> Iterator[Item]:
    """Yield what `function(*args)` yields, a fresh process doing the work between two items.

    function: importable by name; arguments and items can be pickled. What it logs is logged here,
    what it raises is raised here. Raises `SpikedeblurError` if the process is killed.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, function, args), daemon=True)
    process.start()
    theirs.close()
    try:
        while (message := ours.recv()) is not None:
            if isinstance(message, logging.LogRecord):
                LOGGER.handle(message)
            elif isinstance(message, BaseException):
                raise message
            else:
                yield message[0]
                ours.send(None)
    except (EOFError, ConnectionError):
        process.join()
        raise SpikedeblurError(f"the process that was measured has ended ({_ending(process)}) - "
                               "was there memory enough?") from None
    finally:
        process.terminate()
        process.join()
        ours.close()


def _serve(connection: Connection, function: Callable[..., Iterator[Any]], args: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this process
    LOGGER.addHandler(_Forward(connection))
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        for item in function(*args):
            connection.send((item,))
            connection.recv()
        connection.send(None)
    except (EOFError, ConnectionError):
        pass  # the parent is gone
    except SpikedeblurError as error:
        connection.send(error)
    except Exception:
        connection.send(RuntimeError(f"in the process that was measured\n{traceback.format_exc()}"))


class _Forward(QueueHandler):
    """Sends records through a connection."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(queue.SimpleQueue())
        self._connection = connection

    def enqueue(self, record: logging.LogRecord) -> None:
        self._connection.send(record)


def _ending(process: Any) -> str:
    code = process.exitcode
    return signal.Signals(-code).name if code is not None and code < 0 else f"status {code}"
