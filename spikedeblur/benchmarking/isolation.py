"""A generator run in its own process, in lock step.

Memory is counted by process, and never all given back: only in its own process does a method's
memory say nothing of the methods before it. Lock step keeps what the caller does with one item from
competing with the making of the next.
"""

from __future__ import annotations

import json
import logging
import queue
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from logging.handlers import QueueHandler
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from spikedeblur.errors import LOGGER, SpikedeblurError

Answer = TypeVar("Answer")
# Not multiprocessing's own start, which would first run the caller's script once more.
START = """import json, sys
sys.path[:] = json.loads(sys.argv[1])
from spikedeblur.benchmarking.isolation import serve
serve(int(sys.argv[2]))"""


def in_own_process(function: Callable[..., Iterator[Answer]], *args: Any) -> Iterator[Answer]:
    """Yield what `function(*args)` yields, a fresh process doing the work between two items.

    function: importable by name; arguments and items can be pickled. What it logs is logged here,
    what it raises is raised here. Raises `SpikedeblurError` if the process is killed.
    """
    ours, theirs = Pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", START, json.dumps(sys.path), str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    theirs.close()
    try:
        ours.send((function, args))
        while (message := ours.recv()) is not None:
            if isinstance(message, logging.LogRecord):
                LOGGER.handle(message)
            elif isinstance(message, BaseException):
                raise message
            else:
                yield message[0]
                ours.send(None)
    except (EOFError, ConnectionError):
        raise SpikedeblurError(
            f"the process that was measured has ended ({_ending(process)}) - "
            "was there memory enough?"
        ) from None
    finally:
        process.terminate()
        process.wait()
        ours.close()


def serve(descriptor: int) -> None:
    """The other end: run the function that comes through the pipe, send what it yields."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this process
    connection = Connection(descriptor)
    LOGGER.addHandler(_Forward(connection))
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        function, args = connection.recv()
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


def _ending(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    return signal.Signals(-code).name if code < 0 else f"status {code}"
