"""What is said where: progress on a terminal, in a log, as JSON."""

from __future__ import annotations

import json
import logging

import pytest

from spikedeblur.cli import progress
from spikedeblur.cli.console import Console, printable
from spikedeblur.cli.progress import (
    BarProgress,
    JsonProgress,
    PlainProgress,
    Progress,
    progress_display,
)


@pytest.fixture
def console():
    console = Console()
    yield console
    console.close()


class Clock:
    """Stands in for the time module."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_plain_lines_come_every_ten_percent(clock, capsys):
    with progress_display("plain", "deblurred") as display:
        for frame in range(1, 101):
            clock.now += 0.1
            display.advance_to(frame, 100)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == 10
    assert lines[0] == "spikedeblur: deblurred 10/100 (10 %) frames, 10.00 fps, 0:00:09 to go"


def test_the_first_frames_promise_no_time(clock, capsys):
    """They wait for a window of five; two more follow at once, and say nothing either."""
    with progress_display("plain", "deblurred") as display:
        clock.now += 60
        for frame in (1, 2, 3):
            display.advance_to(frame, 20)
        clock.now += 40
        display.advance_to(4, 20)
    first, second, last = capsys.readouterr().err.splitlines()
    assert first.endswith("1/20 (5 %) frames, 0.02 fps")
    assert second.endswith("2/20 (10 %) frames, 0.03 fps")
    assert last.endswith("4/20 (20 %) frames, 0.04 fps, 0:06:40 to go")


def test_plain_lines_come_every_ten_seconds(clock, capsys):
    with progress_display("plain", "deblurred") as display:
        for frame in range(1, 31):
            clock.now += 1
            display.advance_to(frame, None)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"spikedeblur: deblurred {n} frames, 1.00 fps" for n in (10, 20, 30)]


def test_json_comes_once_a_second_where_it_belongs(clock, capsys):
    for json_lines, kind in ((True, "auto"), (False, "json")):
        with progress_display(kind, "deblurred", json_lines=json_lines) as display:
            for frame in range(1, 31):
                clock.now += 0.1
                display.advance_to(frame, 30)
        streams = capsys.readouterr()
        lines = streams[0 if json_lines else 1].splitlines()
        assert streams[1 if json_lines else 0] == ""
        events = [json.loads(line) for line in lines]
        assert [event["event"] for event in events] == ["progress"] * len(events)
        assert 3 <= len(events) <= 4 and events[-1]["total"] == 30


@pytest.mark.parametrize(
    ("kind", "quiet", "json_lines", "terminal", "expected"),
    [
        ("auto", False, False, True, BarProgress),
        ("auto", False, False, False, PlainProgress),
        ("auto", True, False, True, Progress),
        ("plain", True, False, True, Progress),
        ("none", False, False, True, Progress),
        ("auto", False, True, True, JsonProgress),
        ("json", True, False, True, JsonProgress),
        ("plain", False, True, True, PlainProgress),
    ],
)
def test_the_display_fits_the_place(monkeypatch, kind, quiet, json_lines, terminal, expected):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    assert type(progress_display(kind, "x", quiet=quiet, json_lines=json_lines)) is expected


def test_the_bar_shows_frames_rate_and_percent(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with BarProgress("deblurred") as display:
        display.advance_to(5, 10)
    out, err = capsys.readouterr()
    assert out == "" and "5/10" in err and "50 %" in err and "fps" in err


def test_messages_of_the_layers_below_are_shown_and_counted(console, capsys):
    console.configure(verbose=0, quiet=False, log_file=None)
    logging.getLogger("spikedeblur.training.run").warning("something")
    logging.getLogger("spikedeblur").info("a note")
    logging.getLogger("spikedeblur").debug("a detail")
    assert capsys.readouterr().err.splitlines() == [
        "spikedeblur: warning: something",
        "spikedeblur: a note",
    ]
    assert console.warnings == 1


def test_quiet_counts_warnings_and_shows_errors(console, capsys):
    console.configure(verbose=0, quiet=True, log_file=None)
    console.warn("something")
    console.note("a note")
    console.error("bad")
    assert capsys.readouterr().err == "spikedeblur: error: bad\n"
    assert console.warnings == 1


def test_verbose_shows_details(console, capsys):
    console.configure(verbose=1, quiet=False, log_file=None)
    console.detail("a detail")
    assert "a detail" in capsys.readouterr().err


def test_nothing_can_move_the_cursor():
    assert printable("a\x1b[2J\r\n\t\x85b\ud800") == r"a\x1b[2J\r\n\t\x85b\ud800"
    assert printable("Stra\u00dfe 5 \u6771\u4eac") == "Stra\u00dfe 5 \u6771\u4eac"
