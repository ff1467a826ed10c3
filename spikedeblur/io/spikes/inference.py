"""Inference from the size of a recording: the formats that fit, by the cameras known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.arrays import ArrayFile, check_axes
from spikedeblur.io.spikes.cameras import CAMERAS, SPIKE_LAYOUTS, Camera, layout_named
from spikedeblur.io.spikes.layouts import PLAIN
from spikedeblur.io.spikes.packed import dat_files, file_bytes
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.size_from_bits import LikelyPlane, likely_plane
from spikedeblur.io.spikes.stream import check_size, is_array_file

__all__ = ["RecordingFormat", "possible_formats", "settled_format"]

DURATION_TOLERANCE = Fraction(3, 100)


@dataclass(frozen=True)
class RecordingFormat:
    """One way to read a recording: a plane that fills it, and a rate (None: not known)."""

    camera: Camera
    rate_hz: Fraction | None
    ticks: int

    def lasts(self, duration_s: Fraction, interval_s: Fraction) -> bool:
        """Return whether it lasts as long as the video: within 3 % or one frame interval."""
        if self.rate_hz is None:
            return False
        difference = abs(self.ticks / self.rate_hz - duration_s)
        return difference <= max(DURATION_TOLERANCE * duration_s, interval_s)

    def __str__(self) -> str:
        if self.rate_hz is None:
            return f"{self.camera} at an unknown rate"
        lasts = float(self.ticks / self.rate_hz)
        return f"{self.camera} at {float(self.rate_hz):g} Hz ({lasts:.3g} s)"


def possible_formats(
    path: Path, known: RecordingSettings, duration_s: Fraction | None = None
) -> list[RecordingFormat]:
    """Every plane (the known one, or those that fill the file) at every rate it may have.

    A size that is known is taken for plain planes where those fill the file. duration_s: how long
    the video lasts. Raises InputError for a file that is missing, empty or damaged, and for an
    array whose axes are in another order.
    """
    if is_array_file(path):
        array = ArrayFile(path, known.key)
        array.close()
        sizes = [camera.size for camera in CAMERAS] if known.pixels is None else [known.pixels]
        least = (duration_s or 0) * (known.rate_hz or 0)
        check_axes(path, array, sizes, float(least))
        plain = Camera(array.width, array.height, _rates_of((array.width, array.height)), "")
        return _at_rates([plain], known.rate_hz, lambda _: array.ticks)
    size, cameras = known.pixels, CAMERAS
    if size is not None:
        check_size(*size)
        cameras = tuple(
            Camera(*size, _rates_of(size), "", each)
            for each in SPIKE_LAYOUTS.values()
            if each.size in (None, size)
        )
    if known.layout is not None:
        cameras = tuple(camera for camera in cameras if camera.layout.name == known.layout)
    packed = _Packed(path, known.bit_order or "little", known.bits or 1)
    readings = _at_rates(cameras, known.rate_hz, packed.ticks)
    if size is not None and known.lenient and not readings:
        cut = [camera for camera in cameras if known.layout or camera.layout == PLAIN]
        readings = _at_rates(cut, known.rate_hz, packed.whole_ticks)
    plain_ones = [reading for reading in readings if reading.camera.layout == PLAIN]
    return plain_ones if size is not None and plain_ones else readings


def settled_format(
    path: Path, known: RecordingSettings, *, duration_s: Fraction | None, interval_s: Fraction
) -> RecordingFormat:
    """Complete what is known of a recording by the one format that fits.

    duration_s, interval_s: how long the video and one of its frames last, if there is a video.
    Raises UsageError that lists the readings if not exactly one fits, or if the bits speak for
    another size than the one that only happens to fill the file.
    """
    fitting = readings = possible_formats(path, known, duration_s)
    size, rate_hz = known.pixels, known.rate_hz
    if size is not None and rate_hz is not None and len(readings) != 1:
        unchecked = Camera(*size, (), "", layout_named(known.layout))
        return RecordingFormat(unchecked, rate_hz, 0)  # opening it will tell what is wrong
    # A plane at a rate that is known may well be recorded for longer than the video.
    if duration_s is not None and (rate_hz is None or len(readings) > 1):
        fitting = [reading for reading in readings if reading.lasts(duration_s, interval_s)]
    settled = len(fitting) == 1 and fitting[0].rate_hz is not None
    unknown = ["size"] * (size is None and not is_array_file(path)) + ["rate"] * (rate_hz is None)
    if settled and ("size" not in unknown or _confirmed(fitting[0], duration_s, interval_s)):
        return fitting[0]
    one_bit = known.most_a_tick == 1
    likely = likely_plane(path) if "size" in unknown and one_bit else None
    if settled and (likely is None or likely.camera.size == fitting[0].camera.size):
        return fitting[0]
    raise UsageError(
        f"cannot tell spike {' and '.join(unknown)} of {path} ({_bytes_of(path)} seen; "
        f"{_explain(readings, fitting, size, duration_s)}{_speaks_for(likely)}) - "
        f"give {_wanted(unknown, fitting or readings, likely)}, or a sidecar"
    )


def _confirmed(reading: RecordingFormat, duration_s: Fraction | None, interval_s: Fraction) -> bool:
    """Return whether the video speaks for a reading, too."""
    return duration_s is not None and reading.lasts(duration_s, interval_s)


def _speaks_for(likely: LikelyPlane | None) -> str:
    return "" if likely is None else f"; its bits speak for {likely.camera}"


def _wanted(
    unknown: Sequence[str], readings: Sequence[RecordingFormat], likely: LikelyPlane | None
) -> str:
    """The options that would tell the readings apart."""
    options = {"size": "--spike-size WxH", "rate": "--spike-rate HZ"}
    if likely is not None:
        options["size"] = likely.size_option
    asked = [options[name] for name in unknown]
    if any(reading.camera.layout != PLAIN for reading in readings):
        asked.append("--spike-layout NAME")
    return " and ".join(asked)


class _Packed:
    """Packed planes of which only the number of bytes is known, in one file or several."""

    def __init__(self, path: Path, bit_order: str, bits: int) -> None:
        files = dat_files(path) if path.is_dir() else [path]
        self._sizes = {each: file_bytes(each) for each in files}
        self._bit_order, self._bits = bit_order, bits

    def whole_ticks(self, camera: Camera) -> int:
        """Ticks of a camera where each file may end within a plane."""
        return self.ticks(replace(camera, layout=replace(camera.layout, cut=True)))

    def ticks(self, camera: Camera) -> int:
        """Ticks of a camera that fills each file with whole planes; 0 if it does not."""
        total, layout = 0, camera.layout
        if self._bits > 1:
            layout = replace(layout, bits=self._bits)
        for path, size in self._sizes.items():
            start = layout.first_plane(path, self._bit_order)
            ticks = None if start is None else layout.ticks(size - start, *camera.size)
            if ticks is None:
                return 0
            total += ticks
        return total


def _rates_of(size: tuple[int, int]) -> tuple[int, ...]:
    """The rates that sensors of this size have; those of all if it is not known."""
    known = {rate for camera in CAMERAS if camera.size == size for rate in camera.rates_hz}
    return tuple(sorted(known or {rate for camera in CAMERAS for rate in camera.rates_hz}))


def _at_rates(
    cameras: Sequence[Camera], rate_hz: Fraction | None, ticks_of: Callable[[Camera], int]
) -> list[RecordingFormat]:
    readings = []
    for camera in cameras:
        known: list[Fraction | None] = [Fraction(rate) for rate in camera.rates_hz]
        if ticks := ticks_of(camera):
            readings += [
                RecordingFormat(camera, rate, ticks)
                for rate in ((known or [None]) if rate_hz is None else [rate_hz])
            ]
    return readings


def _explain(
    readings: Sequence[RecordingFormat],
    fitting: Sequence[RecordingFormat],
    size: tuple[int, int] | None,
    duration_s: Fraction | None,
) -> str:
    if not readings and size is not None:
        return f"planes of {size[0]}x{size[1]} do not fill it"
    if not readings:
        return "no known camera's planes fill it"
    lasting = "" if duration_s is None else f" and the video's {float(duration_s):.3g} s"
    if fitting:
        return f"readings that fit it{lasting}: {'; '.join(map(str, fitting))}"
    return f"readings that fit it, but not{lasting[4:]}: {'; '.join(map(str, readings))}"


def _bytes_of(path: Path) -> str:
    if path.is_dir():
        sizes = [file_bytes(each) for each in dat_files(path)]
        return f"{sum(sizes):,} bytes in {len(sizes)} files"
    return f"{file_bytes(path):,} bytes"
