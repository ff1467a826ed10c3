"""Errors, and the logger of warnings: all that users hear when something is wrong.

A message is one line: what is wrong (the value seen) - what to do. `exit_status` is what the
command line returns for an error.
"""

from __future__ import annotations

import logging
import reprlib
from collections.abc import Sequence

LOGGER = logging.getLogger("spikedeblur")


class SpikedeblurError(Exception):
    """Base of all errors that are the user's to know about; never carries a traceback to them."""

    exit_status = 1


class UsageError(SpikedeblurError):
    """The command was called with values that cannot work, or lacks one that cannot be inferred."""

    exit_status = 2


class CallError(UsageError, TypeError):
    """A function was called with a keyword or a type that it does not take."""


class ConfigError(UsageError):
    """A configuration file or a `--set` has an unknown key or a value out of range."""


class InputError(SpikedeblurError):
    """A file to be read is missing, damaged, or not of its stated kind."""


class OutputError(SpikedeblurError):
    """A file cannot be written: it exists, the folder is read-only, the disk is full."""


class WeightsError(InputError):
    """A weights file is damaged, is another model's, or holds values that are not finite."""


def warn_of(messages: Sequence[str]) -> int:
    """Log messages as warnings; returns how many."""
    for message in messages:
        LOGGER.warning("%s", message)
    return len(messages)


def shown(value: object, width: int = 60) -> str:
    """`value` as a message may quote it: its `repr`, one line of at most `width` characters.

    Takes no more time or memory for values that are nested without end or print without end.
    """
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = width
    try:
        text = brief.repr(value)
    except ValueError:  # an integer of more digits than Python prints
        text = f"{type(value).__name__} of many digits"
    text = " ".join(text.split())  # arrays print in lines
    return text if len(text) <= width else f"{text[: width - 3]}..."
