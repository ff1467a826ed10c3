"""Values as people write them (a size, a rate, a shutter time), turned into exact numbers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational

from spikedeblur.errors import UsageError

__all__ = ["Exposure", "Region", "exact", "parse_exposure", "parse_region", "parse_size"]


def exact(value: Fraction | float | int) -> Fraction:
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


def parse_exposure(text: str) -> Exposure:
    """`0.008` or `1/125` (seconds), `0.5x` (of the frame interval), `180deg` (360 = all of it).

    Raises UsageError for anything else, and for what is not above zero.
    """
    match = re.fullmatch(r"\s*([0-9.eE+-]{1,32}(?:/\d{1,9})?)\s*(x|deg|s)?\s*", text)
    try:
        value = Fraction(match[1]) if match else Fraction(0)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if match is None or value <= 0:
        raise UsageError(
            f"not an exposure ({text!r}) - give seconds (0.008), a part of the frame interval"
            " (0.5x) or a shutter angle (180deg)"
        )
    unit = match[2]
    if unit == "deg":
        return Exposure(value / 360, relative=True)
    return Exposure(value, relative=unit == "x")
