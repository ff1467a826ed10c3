"""Progress shown: a bar on a terminal, a line now and then elsewhere, or JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from spikedeblur.cli.progress import MOMENT_S, Progress
from spikedeblur.cli.whole import clock_time

if TYPE_CHECKING:
    from spikedeblur.cli.bar import Bar

PROGRESS_KINDS = ("auto", "plain", "json", "none")
PLAIN_SECONDS = 10.0
PLAIN_PERCENT = 10
JSON_SECONDS = 1.0


class PlainProgress(Progress):
    """One line on stderr every 10 s or 10 %, whichever comes first, but no two in a second."""

    def __init__(self, label: str, unit: str = "frames", **about: Any) -> None:
        super().__init__(label, unit, **about)
        self._shown_at, self._shown_percent = 0.0, 0
        self._eta_shown = False

    @property
    def _first_eta(self) -> bool:
        """Whether the time to go has just become known, which everyone waits for."""
        slow = self.seconds > PLAIN_SECONDS / 3
        return slow and self._passed > 0 and not self._eta_shown and self.eta_s is not None

    def _display(self, at_once: bool) -> bool:
        percent = 100 * self.frames // self.total if self.total else 0
        now = self.seconds
        waited = now - self._shown_at
        further = percent >= self._shown_percent + PLAIN_PERCENT and waited >= MOMENT_S
        if not (at_once or further or waited >= PLAIN_SECONDS or self._first_eta):
            return False
        self._eta_shown = self._eta_shown or self.eta_s is not None
        self._shown_at, self._shown_percent = now, percent - percent % PLAIN_PERCENT
        share = f"/{self.total} ({percent} %)" if self.total else ""
        eta = "" if self.eta_s is None else f", {clock_time(self.eta_s)} to go"
        if self.batch_eta_s is not None:
            eta += f" ({clock_time(self.batch_eta_s)} for all)"
        speed = f", {self.speed}" if self.frames else ""
        note = "".join(f", {each}" for each in (self.tile, self.note) if each)
        click.echo(
            f"spikedeblur: {self.label} {self.frames}{share} {self.unit}{speed}{eta}{note}",
            err=True,
        )
        return True


class JsonProgress(Progress):
    """One JSON object a second at most."""

    def __init__(self, label: str, unit: str = "frames", *, to_stderr: bool, **about: Any) -> None:
        super().__init__(label, unit, **about)
        self._to_stderr = to_stderr
        self._shown_at = -JSON_SECONDS

    def _display(self, at_once: bool) -> bool:
        if self.seconds - self._shown_at < JSON_SECONDS and not at_once:
            return False
        self._shown_at = self.seconds
        event: dict[str, Any] = {
            "event": "progress",
            "frames": self.frames,
            "total": self.total,
            "fps": round(self.fps, 3),
            "eta_s": _tenths(self.eta_s),
            "tiles": self._passed,
        }
        if self.input is not None:
            event |= {"index": self.index, "input": self.input}
        if self.batch_eta_s is not None:
            event["batch_eta_s"] = _tenths(self.batch_eta_s)
        self.write(event)
        return True

    def write(self, event: dict[str, Any]) -> None:
        """Write one object where progress is written."""
        click.echo(json.dumps(event), err=self._to_stderr)


class BarProgress(Progress):
    """A line on a terminal's stderr that shows how far it is, and goes when it is done.

    It is not shown for what is done in less than a second.
    """

    def __init__(self, label: str, unit: str = "frames", **about: Any) -> None:
        super().__init__(label, unit, **about)
        self._bar: Bar | None = None

    def _display(self, at_once: bool) -> bool:
        """Begin with the bar, which draws itself several times a second."""
        if self._bar is None and (at_once or self.seconds >= MOMENT_S):
            from spikedeblur.cli.bar import Bar

            self._bar = Bar(self)
        return self._bar is not None

    def _put_away(self) -> None:
        if self._bar is not None:
            self._bar.remove()


def progress_display(
    kind: str,
    label: str,
    *,
    quiet: bool = False,
    json_lines: bool = False,
    unit: str = "frames",
    **about: Any,
) -> Progress:
    """The display for --progress `kind` (auto, plain, json, none).

    `json_lines`: stdout carries JSON lines (--json), so progress joins them there; with
    `--progress json` alone it goes to stderr. `about`: batch, index and input, as of `Progress`.
    """
    if kind == "json" or (kind == "auto" and json_lines):
        return JsonProgress(label, unit, to_stderr=not json_lines, **about)
    if kind == "none" or quiet:
        return Progress(label, unit, **about)
    if kind == "auto" and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return BarProgress(label, unit, **about)
    return PlainProgress(label, unit, **about)


def _tenths(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
