"""Sizes, exposures and rates as written on a command line."""

from __future__ import annotations

from fractions import Fraction

import pytest

from spikedeblur.errors import UsageError
from spikedeblur.quantities import exact, parse_exposure, parse_size

INTERVAL = Fraction(1001, 30000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0.008", Fraction(1, 125)),
        ("1/125", Fraction(1, 125)),
        ("8e-3s", Fraction(1, 125)),
        ("0.5x", INTERVAL / 2),
        ("180deg", INTERVAL / 2),
        ("360deg", INTERVAL),
        (" 1 x ", INTERVAL),
    ],
)
def test_exposures(text, seconds):
    assert parse_exposure(text).seconds(INTERVAL) == seconds


NO_EXPOSURES = ["", "0", "-1", "0x", "x", "fast", "1/0", "nan", "inf", "1e", "5m"]


@pytest.mark.parametrize("text", NO_EXPOSURES)
def test_what_is_no_exposure(text):
    with pytest.raises(UsageError, match="not an exposure"):
        parse_exposure(text)


def test_sizes_are_width_first():
    assert parse_size("400x250") == (400, 250)
    assert parse_size(" 1000 X 1024 ") == (1000, 1024)


@pytest.mark.parametrize("text", ["", "400", "400x", "0x5", "-4x5", "4.5x3", "400x250x2", "1" * 20])
def test_what_is_no_size(text):
    with pytest.raises(UsageError, match="WIDTHxHEIGHT"):
        parse_size(text)


def test_numbers_keep_the_value_that_was_written():
    assert exact(0.1) == Fraction(1, 10)
    assert exact(Fraction(1, 3)) == Fraction(1, 3)
    with pytest.raises(UsageError, match="finite"):
        exact(float("nan"))
