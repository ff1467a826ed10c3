"""Option values: what people write becomes exact numbers, anything else an error."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.cli.main import main
from spikedeblur.cli.values import TimePoint, parse_pair, parse_tile, parse_time_point
from spikedeblur.errors import UsageError
from spikedeblur.quantities import parse_rate, parse_seconds
from tests.cli.running import deblur
from tests.recordings import RATE, TICKS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90.5", Fraction(181, 2)),
        ("1:30", 90),
        ("1500ms", Fraction(3, 2)),
        ("01:02:03.25", Fraction(14893, 4)),
    ],
)
def test_times(text, seconds):
    assert parse_time_point(text).on_clock(Fraction(30)) == seconds


def test_a_frame_begins_half_an_interval_early():
    assert parse_time_point("120f").on_clock(Fraction(30)) == Fraction(239, 60)
    assert TimePoint(frame=0).on_clock(Fraction(30)) == 0


@pytest.mark.parametrize("text", ["", "1:", "1:2:3:4", "-5", "5m", "f", "1.5f"])
def test_other_texts_are_no_times(text):
    with pytest.raises(UsageError):
        parse_time_point(text)


def test_tiles_and_pairs():
    assert parse_tile("auto") is None and parse_tile("256") == 256
    assert parse_pair("x264-params=a=b") == ("x264-params", "a=b")
    for parse, text in (
        (parse_tile, "12"),
        (parse_tile, "big"),
        (parse_pair, "a"),
        (parse_pair, "=a"),
    ):
        with pytest.raises(UsageError):
            parse(text)


@settings(max_examples=50)
@given(st.text())
def test_any_text_is_parsed_or_refused(text):
    for parse in (parse_seconds, parse_rate, parse_time_point, parse_tile, parse_pair):
        with suppress(UsageError):
            parse(text)


@pytest.mark.parametrize("command", ["deblur", "train", "benchmark"])
def test_no_thousands_of_threads_are_begun(command, capsys):
    assert main([command, "--threads", "8000"]) == 2
    assert "8000 is not in the range 1<=x<=1024" in capsys.readouterr().err


def test_units_are_taken_where_values_are_typed(recording, capsys):
    """The plan of a run says the same for a rate and a shutter time in other units."""
    plans = []
    for rate, exposure, offset in (
        (str(RATE * TICKS), "1/100", "0.002"),
        (f"{RATE * TICKS / 1000}kHz", "10ms", "2000us"),
    ):
        arguments = ["--spike-rate", rate, "--exposure", exposure, "--offset", offset]
        deblur(recording.blurry.parent, *arguments, "--dry-run")
        plans.append(capsys.readouterr().out.partition("cost")[0])
    assert plans[0] == plans[1] and "0.002 s on the video's clock" in plans[0]
