"""A program in a terminal of its own, with so many columns."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time

PATIENCE_S = 30


class Terminal:
    """A program in a terminal; `shown` is what it has written since something was last typed."""

    def __init__(
        self, command: list[str], environment: dict[str, str], *, columns: int = 80
    ) -> None:
        self.process, self._file = pty.fork()
        if self.process == 0:
            size = struct.pack("HHHH", 24, columns, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)  # before the program asks for it
            os.execvpe(command[0], command, environment)
        self.shown = ""

    def type(self, text: str, until: str) -> None:
        """Type, and wait until `until` is shown. Raises AssertionError if it never is."""
        self.shown = ""
        os.write(self._file, text.encode())
        end = time.monotonic() + PATIENCE_S
        while until not in self.shown:
            assert time.monotonic() < end, f"{until!r} is not in {self.shown!r}"
            if select.select([self._file], [], [], 0.1)[0]:
                self.shown += os.read(self._file, 1 << 16).decode(errors="replace")

    def wait(self) -> int:
        """Read until the program ends; its exit status."""
        written = b""
        while True:
            try:
                read = os.read(self._file, 1 << 16)
            except OSError:  # of Linux, where the other end is closed
                read = b""
            if not read:
                break
            written += read
        self.shown += written.decode(errors="replace")
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def close(self) -> None:
        os.close(self._file)
        os.waitpid(self.process, 0)
