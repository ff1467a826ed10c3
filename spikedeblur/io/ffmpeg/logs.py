"""FFmpeg's log during an operation: only there does it give the reason for a refusal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import av

_QUIET = -8
# What other threads say meanwhile goes to this logger, which would print it.
logging.getLogger("libav").addHandler(logging.NullHandler())


@contextmanager
def errors_said() -> Iterator[list[tuple[int, str, str]]]:
    """Yield the list that fills with FFmpeg's errors of this thread: (level, part, text).

    PyAV's way back to silence, `set_level(None)`, trips what other threads are just saying
    (a TypeError is printed); FFmpeg's own log, set to quiet, is silent too.
    """
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as messages:
            yield messages
    finally:
        av.logging.set_libav_level(_QUIET)
        av.logging.restore_default_callback()
        if before not in (None, av.logging.ERROR):
            av.logging.set_level(before)
