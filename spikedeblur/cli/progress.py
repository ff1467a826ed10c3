"""Progress of a command: a bar on a terminal, a line now and then elsewhere, or JSON."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

PROGRESS_KINDS = ("auto", "plain", "json", "none")
PLAIN_SECONDS = 10.0
PLAIN_PERCENT = 10
JSON_SECONDS = 1.0
FEW = 3  # frames that say nothing of the time to go yet: the first waits for a whole window


class Progress:
    """Counts frames and says nothing; the displays below derive from it. A context manager.

    `unit`: what is counted where it is not frames. `note`: what else is worth telling.
    """

    def __init__(self, label: str, unit: str = "frames") -> None:
        self.label, self.unit, self.note = label, unit, ""
        self.total: int | None = None
        self.frames = 0
        self._before: int | None = None  # done by an earlier run, when one is resumed
        self._began = time.monotonic()
        self.tile = ""
        self._passes: int | None = None
        self._passed, self._passed_s = 0, 0.0
        self._work_from: float | None = None

    def begin(self, total: int | None, passes: int | None = None) -> None:
        """Note what is expected: frames, and passes of the network over all of them."""
        self.total, self._passes = total, passes
        self.show(at_once=True)

    def advance_tile(self, tile: int, tiles: int) -> None:
        """Note that so many tiles of a window are done."""
        if self._work_from is None:
            self._work_from = self.seconds
        self._passed += tile > 0
        self._passed_s = self.seconds - self._work_from
        self.tile = f"tile {tile}/{tiles}" if tiles > 1 and tile < tiles else ""
        self.show()

    def advance_to(self, frames: int, total: int | None) -> None:
        """Note how many frames are done, and how many are expected, None if that is not known."""
        if self._before is None:
            self._before = max(frames - 1, 0)
        self.frames, self.total = frames, total
        self.show()

    def show(self, at_once: bool = False) -> None:
        """Tell how far it is, if that is due; called after every frame and tile."""

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._began

    @property
    def _done(self) -> int:
        """Frames done by this run."""
        return self.frames - (self._before or 0)

    @property
    def fps(self) -> float:
        """Frames per second so far."""
        return self._done / max(self.seconds, 1e-9)

    @property
    def speed(self) -> str:
        """`fps`, with its unit."""
        return f"{self.fps:.2f} {'fps' if self.unit == 'frames' else f'{self.unit}/s'}"

    @property
    def eta_s(self) -> float | None:
        """Seconds to go, if the total is known and more than a few frames are done."""
        if self.total is None:
            return None
        if self._done < min(FEW, self.total):
            if not self._passed or self._passes is None:
                return None
            left = max(self._passes - self._passed, 0) * self._passed_s / self._passed
            return left
        return max(self.total - self.frames, 0) / self.fps

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to put away."""


class PlainProgress(Progress):
    """One line on stderr every 10 s or 10 %, whichever comes first: for logs."""

    def __init__(self, label: str, unit: str = "frames") -> None:
        super().__init__(label, unit)
        self._shown_at, self._shown_percent = self._began, 0
        self._eta_shown = False

    @property
    def _first_eta(self) -> bool:
        """Whether the time to go has just become known, which everyone waits for."""
        slow = self.seconds > PLAIN_SECONDS / 3
        return slow and self._passed > 0 and not self._eta_shown and self.eta_s is not None

    def show(self, at_once: bool = False) -> None:
        """Print a line if one is due."""
        percent = 100 * self.frames // self.total if self.total else 0
        now = time.monotonic()
        soon = now - self._shown_at < PLAIN_SECONDS and not at_once and not self._first_eta
        if soon and percent < self._shown_percent + PLAIN_PERCENT:
            return
        self._eta_shown = self._eta_shown or self.eta_s is not None
        self._shown_at, self._shown_percent = now, percent - percent % PLAIN_PERCENT
        share = f"/{self.total} ({percent} %)" if self.total else ""
        eta = "" if self.eta_s is None else f", {_clock(self.eta_s)} to go"
        speed = f", {self.speed}" if self.frames else ""
        note = "".join(f", {each}" for each in (self.tile, self.note) if each)
        click.echo(
            f"spikedeblur: {self.label} {self.frames}{share} {self.unit}{speed}{eta}{note}",
            err=True,
        )


class JsonProgress(Progress):
    """One JSON object a second at most."""

    def __init__(self, label: str, *, to_stderr: bool) -> None:
        super().__init__(label)
        self._to_stderr = to_stderr
        self._shown_at = -JSON_SECONDS

    def show(self, at_once: bool = False) -> None:
        """Print an object if one is due."""
        if self.seconds - self._shown_at < JSON_SECONDS and not at_once:
            return
        self._shown_at = self.seconds
        eta = None if self.eta_s is None else round(self.eta_s, 1)
        event = {
            "event": "progress",
            "frames": self.frames,
            "total": self.total,
            "fps": round(self.fps, 3),
            "eta_s": eta,
            "tiles": self._passed,
        }
        click.echo(json.dumps(event), err=self._to_stderr)


class BarProgress(Progress):
    """A bar with frames, fps and the time to go, on a terminal's stderr."""

    def __init__(self, label: str, unit: str = "frames") -> None:
        super().__init__(label, unit)
        self._bar = _rich_bar()
        self._task = self._bar.add_task(label, total=None, speed="", note="")

    def show(self, at_once: bool = False) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            completed=self.frames,
            total=self.total,
            speed=self.speed,
            note=self.note or self.tile,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()


def _rich_bar() -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[speed]}"),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )


def progress_display(
    kind: str, label: str, *, quiet: bool = False, json_lines: bool = False, unit: str = "frames"
) -> Progress:
    """The display for --progress `kind` (auto, plain, json, none).

    `json_lines`: stdout carries JSON lines (--json), so progress joins them there; with
    `--progress json` alone it goes to stderr.
    """
    if kind == "json" or (kind == "auto" and json_lines):
        return JsonProgress(label, to_stderr=not json_lines)
    if kind == "none" or quiet:
        return Progress(label, unit)
    if kind == "auto" and sys.stderr.isatty():
        return BarProgress(label, unit)
    return PlainProgress(label, unit)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
