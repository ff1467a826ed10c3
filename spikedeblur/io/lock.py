"""One process at a time: a lock that the system frees when its holder ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from spikedeblur.errors import LOGGER, OutputError

# Lustre and some network shares know no locks.
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class InUseError(OutputError):
    """Another process is at work where this one was to be, or has just finished there."""


@contextmanager
def exclusive(path: Path, subject: str, wait: bool = False) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; it is removed at the end.

    `subject` is what the lock is for, as in "the folder runs/first". Another process that holds
    it is waited for, or named by its id in an `OutputError`, as is a folder that cannot be written.
    Holds between
    processes, not between threads of one. A file that a killed process left behind locks nothing.
    """
    file = _lock(path, subject, wait)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _lock(path: Path, subject: str, wait: bool) -> TextIO:
    """Open and lock the file, again when its last holder removed it in between."""
    while True:
        try:
            file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  # the lock lasts while open
        except FileNotFoundError:
            raise InUseError(
                f"cannot write {path} (there is no such folder) - another process may "
                "have finished with it"
            ) from None
        except OSError as error:
            raise OutputError(
                f"cannot write {path} ({error.strerror}) - check the folder and its permissions"
            ) from None
        try:
            _take(file, subject, wait)
            if _is_at(file, path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _take(file: TextIO, subject: str, wait: bool) -> None:
    """Lock an open file and write into it who did."""
    try:
        # Not flock: a forked data worker would inherit that one, and outlive a killed run with it.
        fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in NO_LOCKS:
            LOGGER.warning(
                "%s cannot be locked here (%s); see that no other process uses it",
                subject,
                error.strerror,
            )
            return
        file.seek(0)
        holder = file.read().strip() or "unknown"
        raise InUseError(
            f"{subject} is in use by another process (pid {holder}) - "
            "wait for it to end, or choose another -o"
        ) from None
    with suppress(OSError):  # on a full disk it is a lock nevertheless
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), f"{os.getpid()} on {socket.gethostname()}\n".encode())


def _is_at(file: TextIO, path: Path) -> bool:
    """Return whether `path` still names the open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
