"""Progress of a command: a bar on a terminal, a line now and then elsewhere, or JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from spikedeblur.cli.whole import WholeBatch, clock_time

if TYPE_CHECKING:
    from spikedeblur.cli.bar import Bar

PROGRESS_KINDS = ("auto", "plain", "json", "none")
PLAIN_SECONDS = 10.0
PLAIN_PERCENT = 10
JSON_SECONDS = 1.0
MOMENT_S = 0.9  # what is done sooner needs no progress
FEW = 3  # frames that say nothing of the time to go yet: the first waits for a whole window


class Progress:
    """Counts frames and says nothing; the displays below derive from it. A context manager.

    label: what is worked on. unit: what is counted where it is not frames. batch: all items, of
    which this is number `index` from 0, None for all of them. input: the file, for JSON. note:
    what else there is to say. part: what a slow frame is told in.
    """

    def __init__(
        self,
        label: str,
        unit: str = "frames",
        *,
        batch: WholeBatch | None = None,
        index: int | None = 0,
        input: str | None = None,
    ) -> None:
        self.label, self.unit, self.note = label, unit, ""
        self.batch, self.index, self.input = batch, index, input
        self.part = "tile"
        self.total: int | None = None
        self.frames = 0
        self._before: int | None = None  # done by an earlier run, when one is resumed
        self._began = time.monotonic()
        self.tile = ""
        self._passes: int | None = None
        self._passed, self._passed_s = 0, 0.0
        self._work_from: float | None = None

    def begin(self, total: int | None, passes: int | None = None, *, slow: bool = True) -> None:
        """Note what is expected: frames, and passes of the network over all of them.

        slow: it takes long enough for a word at once.
        """
        self.total, self._passes = total, passes
        if slow:
            self.show(at_once=True)

    def advance_tile(self, tile: int, tiles: int) -> None:
        """Note that so many tiles of a window are done."""
        if self._work_from is None:
            self._work_from = self.seconds
        self._passed += tile > 0
        self._passed_s = self.seconds - self._work_from
        self.tile = f"{self.part} {tile}/{tiles}" if tiles > 1 and tile < tiles else ""
        self._changed()

    def advance_to(self, frames: int, total: int | None) -> None:
        """Note how many frames are done, and how many are expected, None if that is not known."""
        if self._before is None:
            self._before = max(frames - 1, 0)
        self.frames, self.total = frames, total
        self._changed()

    def _changed(self) -> None:
        if self.batch is not None and self.index is not None:
            self.batch.advance(self.index, self.share)
        self.show()

    def show(self, at_once: bool = False) -> None:
        """Tell how far it is, if that is due; called after every frame and tile."""

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._began

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1; 0 where that is not known."""
        if self.batch is not None and self.index is None:
            return self.batch.share
        if self.frames and self.total:
            return min(self.frames / self.total, 1.0)
        return min(self._passed / self._passes, 1.0) if self._passes else 0.0

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
        if self.batch is not None and self.index is None:
            return self.batch.eta_s
        if self.total is None:
            return None
        if self._done < min(FEW, self.total):
            if not self._passed or self._passes is None:
                return None
            left = max(self._passes - self._passed, 0) * self._passed_s / self._passed
            return left
        return max(self.total - self.frames, 0) / self.fps

    @property
    def batch_eta_s(self) -> float | None:
        """Seconds to go for all items of a batch; None where there is one, or nothing to go by."""
        if self.batch is None or self.batch.count < 2 or self.index is None:
            return None
        if self.batch.eta_s is None:
            return None
        return max(self.batch.eta_s, self.eta_s or 0.0)

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
    """One line on stderr every 10 s or 10 %, whichever comes first, but no two in a second."""

    def __init__(self, label: str, unit: str = "frames", **about: Any) -> None:
        super().__init__(label, unit, **about)
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
        waited = now - self._shown_at
        further = percent >= self._shown_percent + PLAIN_PERCENT and waited >= MOMENT_S
        if not (at_once or further or waited >= PLAIN_SECONDS or self._first_eta):
            return
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


class JsonProgress(Progress):
    """One JSON object a second at most."""

    def __init__(self, label: str, unit: str = "frames", *, to_stderr: bool, **about: Any) -> None:
        super().__init__(label, unit, **about)
        self._to_stderr = to_stderr
        self._shown_at = -JSON_SECONDS

    def show(self, at_once: bool = False) -> None:
        """Print an object if one is due."""
        if self.seconds - self._shown_at < JSON_SECONDS and not at_once:
            return
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

    def show(self, at_once: bool = False) -> None:
        """Move the bar; it draws itself several times a second."""
        if self._bar is None and (at_once or self.seconds >= MOMENT_S):
            from spikedeblur.cli.bar import Bar

            self._bar = Bar(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
