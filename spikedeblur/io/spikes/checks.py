"""Checks of single settings of a recording: the value in its type, or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, field, fields
from fractions import Fraction
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from spikedeblur.errors import UsageError
from spikedeblur.quantities import Exposure, Lens, exact, parse_transfer

Crop = tuple[int, int, int, int]
"""Part of a plane: left, top, width, height, in pixels of the upright picture."""
LIMIT = 10**9
LARGEST_DRIFT = 10**5  # millionths


def recording_setting(
    check: Callable[[object], object],
    wanted: str,
    *,
    unit: str = "",
    comment: str = "",
    key: str = "",
    parse: Callable[[str], object] | None = None,
) -> Any:
    """A field of `RecordingSettings`.

    check: gives a value in the field's type, None for one that cannot be. wanted: what it takes,
    for an error. unit, comment: for readers of a sidecar. key: its name there, if another. parse:
    reads it as it is typed, which a sidecar does not.
    """
    about = {"check": check, "wanted": wanted, "unit": unit, "comment": comment, "key": key}
    about["parse"] = parse
    return field(default=None, metadata=about)


def pixels_in(value: object) -> int | None:
    """A number of pixels; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return None
    return int(value) if 0 < value < LIMIT else None


def number_in(value: object) -> Fraction | None:
    """A finite number, exactly; None for what is none."""
    # The comparison is also what turns away nan and the infinities.
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    number = value if isinstance(value, int) else float(value)  # an int may be too large for one
    return exact(value) if -LIMIT < number < LIMIT else None


def positive_in(value: object) -> Fraction | None:
    """A number above zero, exactly."""
    number = number_in(value)
    return number if number is not None and number * LIMIT >= 1 else None


def drift_in(value: object) -> Fraction | None:
    """Millionths that a crystal may be off by, exactly; far more than any is."""
    number = number_in(value)
    return number if number is not None and abs(number) <= LARGEST_DRIFT else None


def jumps_in(value: object) -> tuple[tuple[float, float], ...] | None:
    """Pairs of a time and by how much the offset grows then, in seconds; times rise."""
    if not isinstance(value, list | tuple) or not value:
        return None
    if any(not isinstance(pair, list | tuple) or len(pair) != 2 for pair in value):
        return None
    numbers = [[number_in(each) for each in pair] for pair in value]
    if any(time is None or not jump for time, jump in numbers):
        return None
    jumps = tuple((float(time or 0), float(jump or 0)) for time, jump in numbers)
    rises = all(one[0] < other[0] for one, other in pairwise(jumps))
    return jumps if rises else None


def flag_in(value: object) -> bool | None:
    """True or false."""
    return value if isinstance(value, bool) else None


def one_among(choices: Any) -> Callable[[object], object]:
    """A check that lets one of `choices` pass, texts or whole numbers."""
    return lambda value: value if type(value) in (str, int) and value in choices else None


def name_in(value: object) -> str | None:
    """A name of one line that TOML holds in plain quotes."""
    fine = isinstance(value, str) and 0 < len(value) < 256 and value.isprintable()
    return value if isinstance(value, str) and fine and not {'"', "\\"} & set(value) else None


def exposure_in(value: object) -> Exposure | None:
    """A shutter time above zero; a number is seconds."""
    if isinstance(value, Exposure):
        return value if positive_in(value.value) else None
    seconds = positive_in(value)
    return None if seconds is None else Exposure(seconds)


def crop_in(value: object) -> Crop | None:
    """Left, top, width and height in whole pixels."""
    if not isinstance(value, list | tuple) or len(value) != 4:
        return None
    if any(type(each) is not int for each in value):
        return None
    left, top, width, height = value
    fits = min(left, top) >= 0 and min(width, height) > 0 and max(value) < LIMIT
    return (left, top, width, height) if fits else None


def scale_in(value: object) -> tuple[float, float] | None:
    """Factors across and down, above zero, of one number or two."""
    numbers = [
        positive_in(each) for each in (value if isinstance(value, list | tuple) else [value] * 2)
    ]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    return float(numbers[0]), float(numbers[1])


def transfer_in(value: object) -> str | tuple[tuple[float, float], ...] | None:
    """The name of a curve, gamma:G, or pairs of code and light in [0, 1] that both rise."""
    if isinstance(value, str):
        with suppress(UsageError):
            return parse_transfer(value)
        return None
    if not isinstance(value, list | tuple) or len(value) < 2:
        return None
    if any(not isinstance(pair, list | tuple) or len(pair) != 2 for pair in value):
        return None
    if any(number_in(each) is None for pair in value for each in pair):
        return None
    points = np.array(value, dtype=np.float64)
    rises = (np.diff(points, axis=0) > 0).all() and points.min() >= 0 and points.max() <= 1
    return tuple((float(code), float(light)) for code, light in points) if rises else None


def lens_in(value: object) -> Lens | None:
    """A lens, or a mapping of its numbers: fx, fy, cx, cy and what bends."""
    if isinstance(value, Lens):
        value = asdict(value)
    names = [each.name for each in fields(Lens)]
    if not isinstance(value, Mapping) or not {*names[:4]} <= {*value} <= {*names}:
        return None
    if any(number_in(each) is None for each in value.values()):
        return None
    lens = Lens(**{name: float(each) for name, each in value.items()})
    return lens if min(lens.fx, lens.fy) > 0 else None


def parse_homography(value: object) -> tuple[float, ...] | None:
    """Nine numbers in a row, the rows of an invertible matrix, or an array of them; else None."""
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist()
    if not isinstance(value, list | tuple) or len(value) != 9:
        return None
    if any(number_in(each) is None for each in value):
        return None
    matrix = np.array(value, dtype=np.float64)
    invertible = np.linalg.matrix_rank(matrix.reshape(3, 3)) == 3
    return tuple(matrix.tolist()) if invertible else None
