"""Sizes, exposures and rates as written on a command line."""

from __future__ import annotations

from fractions import Fraction

import pytest

from spikedeblur.errors import UsageError
from spikedeblur.quantities import (
    Region,
    exact,
    parse_exposure,
    parse_rate,
    parse_region,
    parse_seconds,
    parse_size,
)

INTERVAL = Fraction(1001, 30000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0.008", Fraction(1, 125)),
        ("1/125", Fraction(1, 125)),
        ("8ms", Fraction(1, 125)),
        ("8000 us", Fraction(1, 125)),
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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Fraction(1, 10)),
        ("-2.5", Fraction(-5, 2)),
        ("1/3", Fraction(1, 3)),
        ("7", 7),
        ("1e-3", Fraction(1, 1000)),
        (" .5 ", Fraction(1, 2)),
        ("3.", 3),
        ("-8ms", Fraction(-1, 125)),
        ("1/60 s", Fraction(1, 60)),
        ("250\u00b5s", Fraction(1, 4000)),
    ],
)
def test_seconds_are_exact(text, value):
    assert parse_seconds(text) == value


@pytest.mark.parametrize(
    "text", ["", "x", "1/0", "nan", "inf", "1e999", "1 2", "0x10", "9" * 99, "8m", "1Ms", "20k"]
)
def test_other_texts_are_no_seconds(text):
    with pytest.raises(UsageError, match="not a time"):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20000", 20_000),
        ("20k", 20_000),
        ("20kHz", 20_000),
        ("0.02 MHz", 20_000),
        ("30000/1001", Fraction(30_000, 1001)),
        ("25fps", 25),
    ],
)
def test_rates_take_units(text, value):
    assert parse_rate(text) == value


@pytest.mark.parametrize("text", ["0", "-1", "0/5", "x", "20m", "20ms"])
def test_rates_are_above_zero(text):
    with pytest.raises(UsageError, match="not a rate above zero"):
        parse_rate(text)


def test_sizes_are_width_first():
    assert parse_size("400x250") == (400, 250)
    assert parse_size(" 1000 X 1024 ") == (1000, 1024)


@pytest.mark.parametrize("text", ["", "400", "400x", "0x5", "-4x5", "4.5x3", "400x250x2", "1" * 20])
def test_what_is_no_size(text):
    with pytest.raises(UsageError, match="WIDTHxHEIGHT"):
        parse_size(text)


def test_regions_are_size_and_corner():
    region = parse_region(" 320x240+100+7 ")
    assert region == Region(320, 240, 100, 7) and str(region) == "320x240+100+7"
    region.check_within(420, 247)
    for width, height in ((419, 247), (420, 246)):
        with pytest.raises(UsageError, match=rf"320x240\+100\+7 of {width}x{height} seen"):
            region.check_within(width, height)


@pytest.mark.parametrize(
    "text", ["", "320x240", "320x240+1", "0x5+1+1", "5x0+1+1", "5x5-1+1", "5x5+1.5+1", "5x5+1+1+1"]
)
def test_what_is_no_region(text):
    with pytest.raises(UsageError, match=r"WIDTHxHEIGHT\+LEFT\+TOP"):
        parse_region(text)


def test_numbers_keep_the_value_that_was_written():
    assert exact(0.1) == Fraction(1, 10)
    assert exact(Fraction(1, 3)) == Fraction(1, 3)
    with pytest.raises(UsageError, match="finite"):
        exact(float("nan"))


def test_what_lies_around_a_region():
    """On the lines of a grid, and within the picture."""
    region, size = Region(21, 17, 93, 87), (240, 190)
    assert region.widened(32, (16, 48), size) == Region(112, 96, 48, 48)
    assert region.widened(0, (1, 1), size) == region
    assert region.widened(500, (7, 7), size) == Region(240, 190)
    assert Region(9, 9, 231, 181).widened(10, (16, 16), size) == Region(32, 30, 208, 160)
    assert region.within(Region(112, 96, 48, 48)) == Region(21, 17, 45, 39)
    rows, columns = region.slices
    assert (rows, columns) == (slice(87, 104), slice(93, 114))
