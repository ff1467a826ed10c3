"""The types of option values: texts as people write them, turned into exact numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from spikedeblur.errors import UsageError, shown
from spikedeblur.quantities import (
    parse_exposure,
    parse_rate,
    parse_region,
    parse_seconds,
    parse_size,
    parse_transfer,
)
from spikedeblur.vocabulary import MOST_THREADS, SMALLEST_TILE, SYMBOL_BITS

MOST_TEXT = 1 << 24  # characters of a file of instants


class Parsed(click.ParamType):
    """A value that a function parses; its `UsageError` becomes click's, which names the option."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The name of the value, as the help shows it."""
        return self.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse what was typed; a value that cannot be is click's error of this option."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True)
class TimePoint:
    """A place in a video: seconds on its clock, or a frame, counted from 0."""

    seconds: Fraction = Fraction(0)
    frame: int | None = None

    def on_clock(self, rate: Fraction) -> Fraction:
        """Seconds; a frame begins half an interval early, since containers round its time."""
        if self.frame is None:
            return self.seconds
        return max(self.frame - Fraction(1, 2), Fraction(0)) / rate


def parse_time_point(text: str) -> TimePoint:
    """`90.5` or `90500ms`, `1:30` or `0:01:30.5` (clock), `120f` (frame). Raises `UsageError`."""
    if match := re.fullmatch(r"\s*(\d{1,12})f\s*", text):
        return TimePoint(frame=int(match[1]))
    with suppress(UsageError):
        if (value := parse_seconds(text)) >= 0:
            return TimePoint(seconds=value)
    match = re.fullmatch(r"\s*(?:(?:(\d{1,6}):)?(\d{1,6}):)?(\d{1,12}(?:\.\d{1,18})?)\s*", text)
    if match is None:
        raise UsageError(f"not a time ({text!r}) - give seconds, HH:MM:SS.mmm or a frame (120f)")
    hours, minutes, seconds = match.groups(default="0")
    return TimePoint(seconds=3600 * int(hours) + 60 * int(minutes) + Fraction(seconds))


def parse_tile(text: str) -> int | None:
    """`auto` -> None, else a number of pixels. Raises `UsageError`."""
    if text == "auto":
        return None
    if not re.fullmatch(r"\d{1,6}", text) or int(text) < SMALLEST_TILE:
        raise UsageError(
            f"not a tile ({text!r}) - give auto, or a side of {SMALLEST_TILE} pixels or more"
        )
    return int(text)


def parse_pair(text: str) -> tuple[str, str]:
    """`KEY=VALUE` -> (key, value). Raises `UsageError`."""
    key, separator, value = text.partition("=")
    if not (key and separator):
        raise UsageError(f"not KEY=VALUE ({text!r}) - give an option's name and its value")
    return key, value


def parse_layout(text: str) -> str:
    """The name of a layout that spike files have. Raises `UsageError`, which lists them."""
    from spikedeblur.io.spikes.cameras import layout_named

    return layout_named(text).name


def parse_instants(text: str) -> list[Fraction]:
    """`T,T,...` in seconds, or a file with one in a line (# for remarks). Raises `UsageError`."""
    try:
        return [parse_seconds(part) for part in text.split(",")]
    except UsageError:
        pass
    path = Path(text)
    try:
        if not path.is_file():
            raise UsageError(
                f"neither seconds nor a file ({shown(text)} seen) - give instants such as "
                "0.25,0.5, or a file with one in a line"
            )
        with path.open(encoding="utf-8") as file:
            lines = (line.partition("#")[0].strip() for line in file.read(MOST_TEXT).splitlines())
            return [parse_seconds(line) for line in lines if line]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read the instants of {text} ({error}) - name a text with one in a line"
        ) from None


def parse_bits(text: str) -> int:
    """Bits of a spike pixel. Raises `UsageError` for others than 1, 2, 4 and 8."""
    if text not in map(str, SYMBOL_BITS):
        raise UsageError(
            f"no spike pixel has so many bits ({shown(text)} seen) - give 1, 2, 4 or 8"
        )
    return int(text)


SIZE = Parsed("WxH", parse_size)
BITS = Parsed("N", parse_bits)
HERTZ = Parsed("HZ", parse_rate)
EXPOSURE = Parsed("S", parse_exposure)
SECONDS = Parsed("S", parse_seconds)
TIME = Parsed("T", parse_time_point)
TILE = Parsed("auto|N", parse_tile)
LAYOUT = Parsed("NAME", parse_layout)
REGION = Parsed("WxH+X+Y", parse_region)
INSTANT_LIST = Parsed("T,T,...|FILE", parse_instants)
PAIR = Parsed("K=V", parse_pair)
TRANSFER = Parsed("NAME|gamma:G", parse_transfer)
THREADS = click.IntRange(min=1, max=MOST_THREADS)
