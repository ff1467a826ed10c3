"""Values as people write them (a size, a rate, a shutter time), turned into exact numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Rational, Real

from spikedeblur.errors import UsageError
from spikedeblur.vocabulary import TRANSFERS

__all__ = [
    "Exposure",
    "Lens",
    "RateLike",
    "Region",
    "TimeLike",
    "exact",
    "parse_exposure",
    "parse_lens",
    "parse_matrix",
    "parse_rate",
    "parse_region",
    "parse_seconds",
    "parse_size",
    "parse_transfer",
]

_NUMBER = r"[+-]?(?:\d{1,12}(?:\.\d{0,18})?|\.\d{1,18})(?:[eE][+-]?\d{1,2})?"
_AMOUNT = re.compile(rf"\s*({_NUMBER})(?:/(\d{{1,12}}))?\s*([A-Za-z\u00b5\u03bc]*)\s*", re.ASCII)
_MICRO = ("us", "\u00b5s", "\u03bcs")  # both signs that look so
_SECONDS = {"": Fraction(1), "s": Fraction(1), "ms": Fraction(1, 1000)}
_SECONDS |= dict.fromkeys(_MICRO, Fraction(1, 1_000_000))
_HERTZ = dict.fromkeys(("", "hz", "fps"), Fraction(1))
_HERTZ |= {"k": Fraction(1000), "khz": Fraction(1000), "mhz": Fraction(1_000_000)}


TimeLike = Fraction | float | int | str
"""A time as it is given in Python: seconds, or a text such as 1/60 or 8ms."""
RateLike = Fraction | float | int | str
"""So many a second: a number, or a text such as 20k or 30000/1001."""


def exact(value: Fraction | float | int | Real) -> Fraction:
    """The number that was written: the float 0.1 becomes 1/10, not its nearest binary neighbour.

    Raises UsageError if it is not finite.
    """
    if isinstance(value, Rational):
        return Fraction(value)
    number = float(value)
    if not math.isfinite(number):
        raise UsageError(f"a finite number is needed ({number} seen) - give a plain number")
    return Fraction(str(number))


def parse_size(text: str) -> tuple[int, int]:
    """`WxH` in pixels -> (width, height). Raises UsageError."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*[xX]\s*(\d{1,9})\s*", text)
    if match is None or 0 in (size := (int(match[1]), int(match[2]))):
        raise UsageError(f"not a size ({text!r}) - give WIDTHxHEIGHT in pixels, such as 400x250")
    return size


@dataclass(frozen=True)
class Region:
    """A part of a picture, in pixels: its size, and where its left upper corner lies."""

    width: int
    height: int
    left: int = 0
    top: int = 0

    def check_within(self, width: int, height: int) -> None:
        """Raise UsageError unless it lies within a picture of that size."""
        if self.left + self.width > width or self.top + self.height > height:
            raise UsageError(
                f"the region is not within the frame ({self} of {width}x{height} seen) - "
                "give WIDTHxHEIGHT+LEFT+TOP in its pixels"
            )

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to cut it out of an array (H, W, ...)."""
        rows = slice(self.top, self.top + self.height)
        return rows, slice(self.left, self.left + self.width)

    def widened(self, margin: int, grid: tuple[int, int], size: tuple[int, int]) -> Region:
        """A region with at least `margin` pixels more on each side, to the next lines of a grid.

        grid: its steps across and down. It ends where the picture, of `size` (width, height), does.
        """

        def side(start: int, length: int, step: int, end: int) -> tuple[int, int]:
            begin = max(start - margin, 0) // step * step
            stop = math.ceil((start + length + margin) / step) * step
            return begin, min(stop, end) - begin

        left, width = side(self.left, self.width, grid[0], size[0])
        top, height = side(self.top, self.height, grid[1], size[1])
        return Region(width, height, left, top)

    def within(self, outer: Region) -> Region:
        """The same, counted from the corner of `outer`."""
        return replace(self, left=self.left - outer.left, top=self.top - outer.top)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}+{self.left}+{self.top}"


def parse_region(text: str) -> Region:
    """`WxH+X+Y` in pixels, X and Y from the left upper corner. Raises UsageError."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*[xX]\s*(\d{1,9})\+(\d{1,9})\+(\d{1,9})\s*", text)
    if match is None or 0 in (int(match[1]), int(match[2])):
        raise UsageError(
            f"not a region ({text!r}) - give WIDTHxHEIGHT+LEFT+TOP in pixels, such as 320x240+100+0"
        )
    return Region(*(int(number) for number in match.groups()))


@dataclass(frozen=True)
class Exposure:
    """Shutter time of a video frame: so many seconds, or a part of the interval.

    value: seconds, or the fraction of the frame interval if `relative`; positive.
    """

    value: Fraction
    relative: bool = False

    def seconds(self, interval_s: Fraction) -> Fraction:
        """Shutter time in seconds of a frame that lasts `interval_s` seconds."""
        return self.value * interval_s if self.relative else self.value

    def __str__(self) -> str:
        return f"{float(self.value):g}{'x' if self.relative else ' s'}"


def _amount(text: str, units: Mapping[str, Fraction]) -> Fraction | None:
    """A number or a ratio with one of `units` behind it, exactly as written; None if it is none."""
    match = _AMOUNT.fullmatch(text)
    if match is None or match[3] not in units or (match[2] is not None and int(match[2]) == 0):
        return None
    return Fraction(match[1]) / int(match[2] or 1) * units[match[3]]


def parse_seconds(text: str) -> Fraction:
    """`1.5`, `-0.02`, `1/60`, `8ms`, `250us` -> seconds, exactly as written. Raises UsageError."""
    if (value := _amount(text, _SECONDS)) is None:
        raise UsageError(f"not a time ({text!r}) - give seconds, such as 0.25, 1/60 or 8ms")
    return value


def parse_rate(text: str) -> Fraction:
    """`20000`, `20k`, `20kHz`, `30000/1001` -> so many a second, above zero. Raises UsageError."""
    value = _amount(text.lower(), _HERTZ)
    if value is None or value <= 0:
        raise UsageError(f"not a rate above zero ({text!r}) - give one such as 20000 or 20kHz")
    return value


def parse_matrix(text: str) -> tuple[float, ...]:
    """Nine numbers, row by row, separated by commas or spaces. Raises UsageError."""
    try:
        numbers = tuple(float(part) for part in re.split(r"[,\s]+", text.strip(" []\t")))
    except ValueError:
        numbers = ()
    if len(numbers) != 9:
        raise UsageError(
            f"not a homography ({text[:60]!r}) - give nine numbers, row by row, separated by commas"
        )
    return numbers


@dataclass(frozen=True)
class Lens:
    """A calibrated lens as OpenCV has it: focal lengths and centre in pixels, the first of which
    has its centre at (0, 0); then what bends, radial k1, k2, k3 and tangential p1, p2.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0

    @property
    def bends(self) -> bool:
        """Whether it does anything to a picture."""
        return any((self.k1, self.k2, self.p1, self.p2, self.k3))


def parse_lens(text: str) -> Lens:
    """`fx,fy,cx,cy,k1[,k2[,p1,p2[,k3]]]`, OpenCV's camera matrix and its coefficients in a row.

    Raises UsageError.
    """
    try:
        numbers = [float(part) for part in re.split(r"[,\s]+", text.strip(" []\t"))]
    except ValueError:
        numbers = []
    if not 5 <= len(numbers) <= 9 or min(numbers[:2]) <= 0 or not all(map(math.isfinite, numbers)):
        raise UsageError(
            f"not a lens ({text[:60]!r}) - give fx,fy,cx,cy,k1[,k2,p1,p2,k3], fx and fy above zero"
        )
    return Lens(*numbers)


def parse_exposure(text: str) -> Exposure:
    """`0.008`, `1/125` or `8ms`, `0.5x` (of the frame interval), `180deg` (360 = all of it).

    Raises UsageError for anything else, and for what is not above zero.
    """
    if (seconds := _amount(text, _SECONDS)) is not None and seconds > 0:
        return Exposure(seconds)
    part = _amount(text, {"x": Fraction(1), "deg": Fraction(1, 360)})
    if part is None or part <= 0:
        raise UsageError(
            f"not an exposure ({text!r}) - give seconds (0.008, 1/125, 8ms), a part of the frame "
            "interval (0.5x) or a shutter angle (180deg)"
        )
    return Exposure(part, relative=True)


def parse_transfer(text: str) -> str:
    """A curve by name, or `gamma:G` with G from 0.1 to 10. Raises UsageError."""
    name, _, power = text.partition(":")
    match = re.fullmatch(_NUMBER, power, re.ASCII) if name == "gamma" else None
    if text not in TRANSFERS and (match is None or not 0.1 <= float(power) <= 10):
        raise UsageError(f"no such curve ({text!r}) - give {', '.join(TRANSFERS)} or gamma:G")
    return text


def counted(number: int, thing: str) -> str:
    """Say how many things there are: `1 frame`, `2 frames`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
