"""What tests of hostile input ask: how an error is worded, and what was taken, run or written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spikedeblur.errors import SpikedeblurError
from spikedeblur.machine.memory import peak_rss_mb, reset_peak

LONGEST_MESSAGE = 700


def check_message(error: SpikedeblurError) -> None:
    """One line of a length that can be read: WHAT (value) - what to do."""
    text = str(error)
    assert "\n" not in text and " - " in text, text
    assert len(text) < LONGEST_MESSAGE, len(text)


@contextmanager
def refused(kind: type[SpikedeblurError], said: str, megabytes: float = 100) -> Iterator[None]:
    """The block raises `kind` with `said` in its one line, and takes little memory until then."""
    with memory_below(megabytes):
        try:
            yield
        except kind as error:
            check_message(error)
            assert said in str(error), error
        else:
            raise AssertionError("it was not refused")


@contextmanager
def memory_below(megabytes: float) -> Iterator[None]:
    """The resident memory of this process grows by less than that while the block runs."""
    reset_peak()
    before = peak_rss_mb()
    yield
    grown = peak_rss_mb() - before
    assert grown < megabytes, f"{grown:.0f} MB were taken"
