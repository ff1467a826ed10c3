"""The bar of a terminal: one line that fits it, drawn anew several times a second by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikedeblur.cli.whole import clock_time

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from spikedeblur.cli.progress import Progress

LONGEST_BAR, SHORTEST_BAR = 30, 6
SHORTEST_LABEL = 12


class Bar:
    """A line of a display, on a terminal's stderr, until it is removed."""

    def __init__(self, display: Progress) -> None:
        from rich.console import Console
        from rich.live import Live

        self._display = display
        self._live = Live(self, console=Console(stderr=True), transient=True, refresh_per_second=5)
        self._live.start(refresh=True)

    def remove(self) -> None:
        """Take the line away; what was written meanwhile stays above."""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield Text(bar_line(self._display, options.max_width - 1), no_wrap=True)


def bar_line(display: Progress, width: int) -> str:
    """What is worked on, a bar, how far it is and the time to go, in at most `width` characters.

    The name is cut before the figures are left out, and the bar goes first.
    """
    total = "" if display.total is None else f"/{display.total}"
    figures = [f"{display.frames}{total}"]
    figures.append(f"ETA {'-:--:--' if display.eta_s is None else clock_time(display.eta_s)}")
    if display.batch_eta_s is not None:
        figures.append(f"all {clock_time(display.batch_eta_s)}")
    speed = display.speed if display.frames else ""
    extras = [f"{100 * display.share:.0f} %", speed, display.note or display.tile]
    if not display.frames:
        extras.reverse()  # within the first frame, tiles are all that moves
    label = display.label
    for extra in filter(None, extras):
        least = len(" ".join([label[:SHORTEST_LABEL], *figures, extra])) + SHORTEST_BAR + 1
        if least <= width:
            figures.insert(1, extra)
    text = " ".join(figures)
    room = width - len(text) - 1
    kept = room - SHORTEST_BAR - 1
    label = _cut(label, kept if kept >= SHORTEST_LABEL else room)
    bar = min(room - len(label) - 1, LONGEST_BAR)
    if bar < SHORTEST_BAR:
        return f"{label} {text}"[:width]
    done = round(bar * display.share)
    return f"{label} {'━' * done}{'╌' * (bar - done)} {text}"


def _cut(name: str, length: int) -> str:
    """A name with its middle left out: both its beginning and its end tell it from others."""
    if len(name) <= length:
        return name
    kept = max(length - 1, 1)
    return f"{name[: kept - kept // 2]}…{name[len(name) - kept // 2 :]}"
