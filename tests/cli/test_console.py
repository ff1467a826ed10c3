"""What is said where: progress on a terminal, in a log, as JSON."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from spikedeblur.cli import progress, whole
from spikedeblur.cli.bar import bar_line
from spikedeblur.cli.console import Console, printable
from spikedeblur.cli.displays import BarProgress, JsonProgress, PlainProgress, progress_display
from spikedeblur.cli.progress import Progress
from spikedeblur.cli.whole import WholeBatch


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
    monkeypatch.setattr(whole, "time", clock)
    return clock


def test_plain_lines_come_every_ten_percent(clock, capsys):
    with progress_display("plain", "walk.mp4") as display:
        for frame in range(1, 101):
            clock.now += 0.1
            display.advance_to(frame, 100)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == 10
    assert lines[0] == "spikedeblur: walk.mp4 10/100 (10 %) frames, 10.00 fps, 0:00:09 to go"


def test_the_first_frames_promise_no_time(clock, capsys):
    """They wait for a window of five; two more follow at once, and say nothing either."""
    with progress_display("plain", "deblurred") as display:
        clock.now += 60
        for frame in (1, 2, 3):
            display.advance_to(frame, 20)
        clock.now += 40
        display.advance_to(4, 20)
    first, last = capsys.readouterr().err.splitlines()
    assert first.endswith("1/20 (5 %) frames, 0.02 fps")
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
    monkeypatch.setenv("TERM", "xterm")
    assert type(progress_display(kind, "x", quiet=quiet, json_lines=json_lines)) is expected


def test_what_is_done_in_a_moment_is_not_talked_about(clock, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for kind in ("plain", "auto"):
        with progress_display(kind, "walk.mp4") as display:
            display.begin(50, slow=False)
            for frame in range(1, 51):
                clock.now += 0.015
                display.advance_to(frame, 50)
        assert capsys.readouterr() == ("", "")


def test_what_takes_longer_is_shown_though_nothing_is_done_yet(capsys, monkeypatch):
    """Once, and without a time to go, which nobody knows; and nothing after the end."""
    monkeypatch.setattr(progress, "FIRST_SHOWN_S", 0.02)
    for kind in ("plain", "json"):
        with progress_display(kind, "walk.mp4") as display:
            display.begin(50, slow=False)
            display.advance_tile(0, 1)
            display._first.join()
        line = capsys.readouterr().err
        if kind == "plain":
            assert line == "spikedeblur: walk.mp4 0/50 (0 %) frames\n"
        else:
            event = json.loads(line.splitlines()[0])
            assert (event["frames"], event["total"], event["eta_s"]) == (0, 50, None)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with progress_display("auto", "walk.mp4") as display:
        display.begin(50, slow=False)
        display._first.join()
        assert "0/50 0 % ETA -:--:--" in bar_line(display, 70) and "0/50" in capsys.readouterr().err
    capsys.readouterr()
    display._show_first()
    assert "0/50" not in capsys.readouterr().err


def test_the_time_to_go_counts_work_alone(clock):
    """Frames come late, by a window; and passes are fewer, of frames that no spikes cover."""
    display = Progress("walk.mp4")
    display.begin(20, 4, slow=False)
    clock.now += 100  # of preparations
    display.begin_work()
    for window in (1, 2):
        display.advance_tile(0, 1)
        clock.now += 10
        display.advance_tile(1, 1)
        assert display.eta_s == pytest.approx(10 * (4 - window))
        for frame in range(5 * window - 4, 5 * window + 1):
            display.advance_to(frame, 20)
    display.advance_to(19, 20)
    assert display.eta_s == pytest.approx(20 / 19)


@pytest.mark.parametrize("width", [30, 50, 80, 120])
@pytest.mark.parametrize("name", ["a.mkv", "a_walk_through_the_whole_town_at_night.mp4"])
def test_the_line_of_a_bar_fits_and_tells_most(clock, width, name):
    """Of a batch: which item, its frames, its time to go and that of all."""
    batch = WholeBatch([Path("a"), Path("b"), Path("c"), Path("d")])
    display = Progress(f"2/4 {name}", batch=batch, index=1)
    batch.advance(0, 1.0)
    for frame in range(1, 121):
        clock.now += 1
        display.advance_to(frame, 240)
    line = bar_line(display, width)
    assert len(line) <= width and "120/240" in line
    if width >= 50:
        assert line.startswith("2/4 ") and line.rstrip().endswith("all 0:03:20")
        assert "ETA 0:02:00" in line and (name in line or "…" in line)
    if width >= 80 and len(name) < 10:
        assert name in line and "━" in line and "50 %" in line and "1.00 fps" in line


def test_a_batch_takes_time_by_the_sizes_of_its_files(clock, tmp_path):
    for name, size in (("a", 100), ("b", 300), ("c", 600)):
        (tmp_path / name).write_bytes(bytes(size))
    batch = WholeBatch([tmp_path / name for name in "abc"])
    assert batch.eta_s is None
    clock.now += 10
    batch.advance(0, 1.0)
    assert batch.eta_s == pytest.approx(90)
    batch.leave_out(2)
    assert batch.eta_s == pytest.approx(30)


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


def test_a_moment_of_work_says_nothing_of_a_long_batch(tmp_path, monkeypatch):
    """Starting up, which is no work, would be counted a thousand times."""
    now = [0.0]
    monkeypatch.setattr(whole.time, "monotonic", lambda: now[0])
    (tmp_path / "short").write_bytes(bytes(10))
    (tmp_path / "long").write_bytes(bytes(9990))
    batch = WholeBatch([tmp_path / "short", tmp_path / "long"])
    now[0] = 3.0
    batch.advance(0, 1.0)
    assert batch.eta_s is None
    now[0], share = 5.0, 0.1
    batch.advance(1, share)
    assert batch.eta_s == pytest.approx(45, rel=0.02)
