"""Exit statuses of the program."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class ExitStatus(IntEnum):
    """Exit status of every command. A command's function returns one; None stands for OK."""

    OK = 0
    FAILED = 1  # bad data, a refused overwrite, a bug
    USAGE = 2
    DAMAGED_INPUT = 3  # finished, but part of the input was damaged or not covered; counts printed
    CTRL_C = 130  # 128 + SIGINT
    BROKEN_PIPE = 141  # 128 + SIGPIPE
    TERMINATED = 143  # 128 + SIGTERM
