"""Settings of how a recording is read: one record, merged from layers in order of precedence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from spikedeblur.errors import UsageError, shown
from spikedeblur.io.spikes.cameras import SPIKE_LAYOUTS
from spikedeblur.io.spikes.checks import (
    Crop,
    crop_in,
    drift_in,
    exposure_in,
    flag_in,
    jumps_in,
    lens_in,
    name_in,
    number_in,
    one_among,
    parse_homography,
    pixels_in,
    positive_in,
    scale_in,
    transfer_in,
)
from spikedeblur.io.spikes.checks import recording_setting as _setting
from spikedeblur.quantities import (
    Exposure,
    Lens,
    RateLike,
    TimeLike,
    parse_exposure,
    parse_lens,
    parse_matrix,
    parse_rate,
    parse_seconds,
    parse_size,
)
from spikedeblur.vocabulary import BIT_ORDERS, CFAS, SYMBOL_BITS, TRANSFERS

__all__ = ["Crop", "Origin", "RecordingSettings", "SpikeOptions", "merged", "parse_homography"]

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

LENS = "fx, fy, cx, cy in pixels, of which fx and fy above zero, and k1, k2, p1, p2, k3"


@dataclass(frozen=True)
class RecordingSettings:
    """Settings of how a recording is read; None where a setting is not given.

    Each field is a key of the sidecar. width, height: the sensor (both or neither). lenient: read a
    file that ends within a plane up to its last whole one. bits: of a pixel at a tick, which counts
    up to 2^bits - 1 spikes. cfa: the colour filters of 2x2 pixels, of the upright sensor.
    drift_ppm: by how many millionths the spike camera ticks faster than rate_hz says, on the
    video's clock. offset_jumps: where planes or frames were lost, pairs of a time on the video's
    clock and of the seconds by which the offset is greater from then on (less for lost frames).
    exposure: shutter time of a video frame. exposure_start_s: how long after a frame's time stamp
    its shutter opens; by default such that the exposure is centred. crop: left, top, width, height
    of the part of the spike plane to use. scale: video pixels per spike pixel, across and down,
    with the middle of the spikes on the middle of the frame. homography: spike pixel -> video
    pixel, 3 x 3 row-major, centre of the first pixel at (0, 0); counted on the whole plane, also
    beside a crop; never beside a scale. Without either, the (crop of the) spike plane is stretched
    onto the video's. readout_s: of a rolling shutter, from the first row's exposure to the last
    one's, below zero if the last row comes first; exposure and exposure_start_s are then those of
    the middle row. transfer: the curve between light and the video's numbers; "auto", as by
    default, asks its tags.
    video_lens, spike_lens: of the whole frame and the whole sensor; the homography then leads from
    the one picture to the other as they would be without distortion.
    parallax: what homography and lenses leave between both views is found for each frame.

    size: (width, height) or WxH, another way to give both. Rates, times and the homography may be
    texts, as the command line takes them: 20k, 1/60, 8ms, 0.5x. origins: setting -> where its
    value is from.
    fallback: what holds where neither these settings nor the sidecar of a recording say.
    Raises UsageError for a value that cannot be.
    """

    width: int | None = _setting(
        pixels_in, "whole pixels above zero, as a sensor has", unit="pixels"
    )
    height: int | None = _setting(
        pixels_in, "whole pixels above zero, as a sensor has", unit="pixels"
    )
    rate_hz: Fraction | None = _setting(
        positive_in, "ticks per second, above zero", unit="ticks per second", parse=parse_rate
    )
    flip: bool | None = _setting(flag_in, "true or false", comment="rows stored bottom-up")
    bit_order: str | None = _setting(one_among(BIT_ORDERS), " or ".join(BIT_ORDERS))
    layout: str | None = _setting(
        one_among(SPIKE_LAYOUTS),
        f"one of {', '.join(SPIKE_LAYOUTS)}",
        comment="header bits among the pixels",
    )
    key: str | None = _setting(name_in, "the name of an array", comment="name of the array")
    lenient: bool | None = _setting(flag_in, "true or false", comment="the last plane may be cut")
    cfa: str | None = _setting(one_among(CFAS), ", ".join(CFAS), comment="filters of 2x2 pixels")
    bits: int | None = _setting(
        one_among(SYMBOL_BITS), "1, 2, 4 or 8", comment="of a pixel at a tick, which then counts"
    )
    offset_s: Fraction | None = _setting(
        number_in,
        "seconds",
        unit="seconds",
        comment="time of tick 0 on the video's clock",
        parse=parse_seconds,
    )
    drift_ppm: Fraction | None = _setting(
        drift_in,
        "millionths, within 100,000 of none",
        unit="millionths",
        comment="by which the spike camera's clock is fast",
    )
    offset_jumps: tuple[tuple[float, float], ...] | None = _setting(
        jumps_in,
        "pairs of a time and a change of the offset, seconds, in the order of time",
        comment="time on the video's clock, and seconds by which tick 0 is later from then on",
    )
    exposure: Exposure | None = _setting(
        exposure_in,
        "seconds, above zero",
        unit="seconds",
        comment="shutter time of a video frame",
        key="exposure_s",
        parse=parse_exposure,
    )
    exposure_start_s: Fraction | None = _setting(
        number_in,
        "seconds",
        unit="seconds",
        comment="from a frame's time stamp to its shutter's opening",
        parse=parse_seconds,
    )
    crop: Crop | None = _setting(
        crop_in,
        "left, top, width, height in whole spike pixels",
        comment="left, top, width, height of the part to use",
    )
    scale: tuple[float, float] | None = _setting(
        scale_in,
        "video pixels per spike pixel, one number or two, above zero",
        unit="video pixels per spike pixel",
    )
    homography: tuple[float, ...] | None = _setting(
        parse_homography,
        "nine numbers, the rows of an invertible 3x3 matrix",
        comment="spike pixel -> video pixel, row-major",
        parse=parse_matrix,
    )
    readout_s: Fraction | None = _setting(
        number_in,
        "seconds",
        unit="seconds",
        comment="from the video's first row to its last",
        parse=parse_seconds,
    )
    transfer: str | tuple[tuple[float, float], ...] | None = _setting(
        transfer_in,
        f"{', '.join(TRANSFERS)}, gamma:G, or pairs of code and light that rise in [0, 1]",
        comment="what the video's numbers stand for",
    )
    video_lens: Lens | None = _setting(
        lens_in, LENS, comment="of the video camera", key="video.lens", parse=parse_lens
    )
    spike_lens: Lens | None = _setting(
        lens_in, LENS, comment="of the spike camera", key="spikes.lens", parse=parse_lens
    )
    parallax: bool | None = _setting(
        flag_in, "true or false", comment="both views are displaced: each frame is registered"
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
            cfa: str | None = None,
            bits: int | None = None,
            offset_s: TimeLike | None = None,
            drift_ppm: float | Fraction | None = None,
            offset_jumps: Sequence[Sequence[float]] | None = None,
            exposure: Exposure | TimeLike | None = None,
            exposure_start_s: TimeLike | None = None,
            crop: Sequence[int] | None = None,
            scale: float | Sequence[float] | None = None,
            homography: Sequence[float] | NDArray[Any] | str | None = None,
            readout_s: TimeLike | None = None,
            transfer: str | Sequence[Sequence[float]] | None = None,
            video_lens: Lens | Mapping[str, float] | str | None = None,
            spike_lens: Lens | Mapping[str, float] | str | None = None,
            parallax: bool | None = None,
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
    def ticks_per_second(self) -> Fraction | None:
        """Ticks per second of the video's clock: the rate with its drift; None if not known."""
        if self.rate_hz is None or not self.drift_ppm:
            return self.rate_hz
        return self.rate_hz * (1 + self.drift_ppm / 10**6)

    @property
    def most_a_tick(self) -> int:
        """Spikes that a pixel can count in a tick."""
        return (1 << (self.bits or 1)) - 1

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
