"""Settings of how a recording is read: one record, merged from layers in order of precedence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import UsageError, shown
from spikedeblur.io.spikes.cameras import SPIKE_LAYOUTS
from spikedeblur.quantities import (
    Exposure,
    RateLike,
    TimeLike,
    exact,
    parse_exposure,
    parse_matrix,
    parse_rate,
    parse_seconds,
    parse_size,
)
from spikedeblur.vocabulary import BIT_ORDERS

__all__ = [
    "KEYS",
    "Crop",
    "Origin",
    "RecordingSettings",
    "SpikeOptions",
    "merged",
    "parse_homography",
]

Origin = Literal[
    "option",
    "environment",
    "sidecar",
    "rig",
    "configuration",
    "inferred",
    "default",
    "guessed",
    "unknown",
]
Crop = tuple[int, int, int, int]
"""Part of a plane: left, top, width, height, in pixels of the upright picture."""
LIMIT = 10**9


def _pixels(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return None
    return int(value) if 0 < value < LIMIT else None


def _number(value: object) -> Fraction | None:
    # The comparison is also what turns away nan and the infinities.
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    return exact(value) if -LIMIT < float(value) < LIMIT else None


def _positive(value: object) -> Fraction | None:
    number = _number(value)
    return number if number is not None and number * LIMIT >= 1 else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _one_of(names: Any) -> Callable[[object], str | None]:
    return lambda value: value if isinstance(value, str) and value in names else None


def _name(value: object) -> str | None:
    fine = isinstance(value, str) and 0 < len(value) < 256 and value.isprintable()
    return value if isinstance(value, str) and fine and not {'"', "\\"} & set(value) else None


def _exposure(value: object) -> Exposure | None:
    if isinstance(value, Exposure):
        return value if _positive(value.value) else None
    seconds = _positive(value)
    return None if seconds is None else Exposure(seconds)


def _crop(value: object) -> Crop | None:
    if not isinstance(value, list | tuple) or len(value) != 4:
        return None
    if any(type(each) is not int for each in value):
        return None
    left, top, width, height = value
    fits = min(left, top) >= 0 and min(width, height) > 0 and max(value) < LIMIT
    return (left, top, width, height) if fits else None


def _scale(value: object) -> tuple[float, float] | None:
    numbers = [
        _positive(each) for each in (value if isinstance(value, list | tuple) else [value] * 2)
    ]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    return float(numbers[0]), float(numbers[1])


def parse_homography(value: object) -> tuple[float, ...] | None:
    """Nine numbers in a row, the rows of an invertible matrix, or an array of them; else None."""
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist()
    if not isinstance(value, list | tuple) or len(value) != 9:
        return None
    if any(_number(each) is None for each in value):
        return None
    matrix = np.array(value, dtype=np.float64)
    invertible = np.linalg.matrix_rank(matrix.reshape(3, 3)) == 3
    return tuple(matrix.tolist()) if invertible else None


def _setting(
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


@dataclass(frozen=True)
class RecordingSettings:
    """Settings of how a recording is read; None where a setting is not given.

    Each field is a key of the sidecar. width, height: the sensor (both or neither). lenient: read a
    file that ends within a plane up to its last whole one. exposure: shutter time of a video frame.
    exposure_start_s: how long after a frame's time stamp its shutter opens; by default such that
    the exposure is centred in the frame interval. crop: left, top, width, height of the part of the
    spike plane to use. scale: video pixels per spike pixel, across and down, with the middle of the
    spikes on the middle of the frame. homography: spike pixel -> video pixel, 3 x 3 row-major,
    centre of the first pixel at (0, 0); counted on the whole plane, also beside a crop; never
    beside a scale. Without either, the (crop of the) spike plane is stretched onto the video's.

    size: (width, height) or WxH, another way to give both. Rates, times and the homography may be
    texts, as the command line takes them: 20k, 1/60, 8ms, 0.5x. origins: setting -> where its
    value is from.
    fallback: what holds where neither these settings nor the sidecar of a recording say.
    Raises UsageError for a value that cannot be.
    """

    width: int | None = _setting(_pixels, "whole pixels above zero, as a sensor has", unit="pixels")
    height: int | None = _setting(
        _pixels, "whole pixels above zero, as a sensor has", unit="pixels"
    )
    rate_hz: Fraction | None = _setting(
        _positive, "ticks per second, above zero", unit="ticks per second", parse=parse_rate
    )
    flip: bool | None = _setting(_flag, "true or false", comment="rows stored bottom-up")
    bit_order: str | None = _setting(_one_of(BIT_ORDERS), " or ".join(BIT_ORDERS))
    layout: str | None = _setting(
        _one_of(SPIKE_LAYOUTS),
        f"one of {', '.join(SPIKE_LAYOUTS)}",
        comment="header bits among the pixels",
    )
    key: str | None = _setting(_name, "the name of an array", comment="name of the array")
    lenient: bool | None = _setting(_flag, "true or false", comment="the last plane may be cut")
    offset_s: Fraction | None = _setting(
        _number,
        "seconds",
        unit="seconds",
        comment="time of tick 0 on the video's clock",
        parse=parse_seconds,
    )
    exposure: Exposure | None = _setting(
        _exposure,
        "seconds, above zero",
        unit="seconds",
        comment="shutter time of a video frame",
        key="exposure_s",
        parse=parse_exposure,
    )
    exposure_start_s: Fraction | None = _setting(
        _number,
        "seconds",
        unit="seconds",
        comment="from a frame's time stamp to its shutter's opening",
        parse=parse_seconds,
    )
    crop: Crop | None = _setting(
        _crop,
        "left, top, width, height in whole spike pixels",
        comment="left, top, width, height of the part to use",
    )
    scale: tuple[float, float] | None = _setting(
        _scale,
        "video pixels per spike pixel, one number or two, above zero",
        unit="video pixels per spike pixel",
    )
    homography: tuple[float, ...] | None = _setting(
        parse_homography,
        "nine numbers, the rows of an invertible 3x3 matrix",
        comment="spike pixel -> video pixel, row-major",
        parse=parse_matrix,
    )
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)
    fallback: RecordingSettings | None = field(default=None, repr=False)
    size: InitVar[tuple[int, int] | None] = None

    if TYPE_CHECKING:  # what is taken is more than what is held

        def __init__(
            self,
            width: int | None = None,
            height: int | None = None,
            rate_hz: RateLike | None = None,
            flip: bool | None = None,
            bit_order: str | None = None,
            layout: str | None = None,
            key: str | None = None,
            lenient: bool | None = None,
            offset_s: TimeLike | None = None,
            exposure: Exposure | TimeLike | None = None,
            exposure_start_s: TimeLike | None = None,
            crop: Sequence[int] | None = None,
            scale: float | Sequence[float] | None = None,
            homography: Sequence[float] | NDArray[Any] | str | None = None,
            origins: Mapping[str, Origin] = ...,
            fallback: RecordingSettings | None = None,
            size: tuple[int, int] | str | None = None,
        ) -> None: ...

    def __post_init__(self, size: tuple[int, int] | str | None) -> None:
        if isinstance(size, str):
            size = parse_size(size)
        if size is not None:
            for name, side in zip(("width", "height"), size, strict=True):
                object.__setattr__(self, name, side)
        for key, setting in KEYS.items():
            value = getattr(self, setting.name)
            if value is None:
                continue
            if isinstance(value, str) and setting.metadata["parse"]:
                value = setting.metadata["parse"](value)
            checked = setting.metadata["check"](value)
            if checked is None:
                wanted = setting.metadata["wanted"]
                whole = isinstance(value, Fraction) and value.denominator == 1
                seen = shown(value.numerator if whole else value)
                raise UsageError(f"bad {key} ({seen} seen) - give {wanted}")
            object.__setattr__(self, setting.name, checked)
        if (self.width is None) != (self.height is None):
            raise UsageError("only one of width and height is given - give both or neither")
        if self.scale is not None and self.homography is not None:
            raise UsageError("both scale and homography are given - give one of them")

    @property
    def pixels(self) -> tuple[int, int] | None:
        """(width, height), None if it is not known."""
        return None if self.width is None or self.height is None else (self.width, self.height)

    @property
    def given(self) -> dict[str, Any]:
        """The settings that are not None, by name."""
        values = ((setting.name, getattr(self, setting.name)) for setting in KEYS.values())
        return {name: value for name, value in values if value is not None}


SpikeOptions = RecordingSettings  # its former name, which callers may use
KEYS = {
    setting.metadata["key"] or setting.name: setting
    for setting in fields(RecordingSettings)
    if "check" in setting.metadata
}
"""The fields by their names in a sidecar, in the order in which they are written."""
_RIVALS = {"scale": "homography", "homography": "scale"}


def merged(*layers: tuple[Origin, RecordingSettings | None]) -> RecordingSettings:
    """Merge layers of settings, the first that gives a value wins, with their origins.

    layers: who says it, and what, from the one who is believed first to the one believed last;
    None says nothing. A layer that has origins itself keeps them. The first fallback is kept, too.
    """
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for origin, layer in layers:
        if layer is None:
            continue
        for name, value in layer.given.items():
            if name not in values and _RIVALS.get(name) not in values:
                values[name] = value
                origins[name] = layer.origins.get(name, origin)
    fallbacks = (layer.fallback for _, layer in layers if layer is not None)
    fallback = next((each for each in fallbacks if each is not None), None)
    return RecordingSettings(**values, origins=origins, fallback=fallback)
