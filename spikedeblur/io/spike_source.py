"""How a .dat is to be read: options first, then its sidecar, then what its size gives away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeVar

from spikedeblur.errors import UsageError
from spikedeblur.io.cameras import CAMERAS, Camera
from spikedeblur.io.sidecar import Sidecar, read_sidecar, sidecar_path
from spikedeblur.io.spikes import SpikeStream, check_size, file_bytes, plane_bytes
from spikedeblur.quantities import Exposure

__all__ = ["Reading", "SpikeOptions", "SpikeSource", "find_sidecar", "resolve_spike_source"]

Origin = Literal["option", "sidecar", "inferred", "default"]
T = TypeVar("T")
DURATION_TOLERANCE = Fraction(3, 100)


@dataclass(frozen=True)
class SpikeOptions:
    """What the caller says about a spike file; None where nothing is said.

    size: (width, height) in pixels. rate_hz: ticks per second. offset_s: time of tick 0 on the
    video's clock. flip: rows stored bottom-up.
    """

    size: tuple[int, int] | None = None
    rate_hz: Fraction | None = None
    exposure: Exposure | None = None
    offset_s: Fraction | None = None
    flip: bool | None = None


@dataclass(frozen=True)
class SpikeSource:
    """How a spike file is read, and where each setting came from.

    offset_s: None if nobody gave it; tick 0 is then at the first frame's time stamp.
    exposure_start_s: None if the exposure is centred in the frame interval.
    homography: None for plain scaling of the spike plane onto the video's.
    origins: setting -> "option", "sidecar", "inferred" or "default".
    """

    path: Path
    width: int
    height: int
    rate_hz: Fraction
    flip: bool
    bit_order: str
    offset_s: Fraction | None
    exposure: Exposure
    exposure_start_s: Fraction | None
    homography: tuple[float, ...] | None
    origins: dict[str, Origin]

    def open(self, first_pts_s: Fraction = Fraction(0)) -> SpikeStream:
        """The stream, with tick 0 at first_pts_s (seconds) if no offset was given."""
        return SpikeStream.open(
            self.path,
            width=self.width,
            height=self.height,
            rate_hz=self.rate_hz,
            flip=self.flip,
            bit_order=self.bit_order,
            offset_s=first_pts_s if self.offset_s is None else self.offset_s,
        )


@dataclass(frozen=True)
class Reading:
    """One way to read a file: a plane size that fills it, and a rate (None: not known)."""

    width: int
    height: int
    rate_hz: Fraction | None
    ticks: int
    has_header: bool = False

    def lasts(self, duration_s: Fraction, interval_s: Fraction) -> bool:
        """Whether it lasts as long as the video: within 3 % or one frame interval."""
        if self.rate_hz is None:
            return False
        difference = abs(self.ticks / self.rate_hz - duration_s)
        return difference <= max(DURATION_TOLERANCE * duration_s, interval_s)

    def __str__(self) -> str:
        size = f"{self.width}x{self.height}"
        if self.has_header:
            size += " with line headers"
        if self.rate_hz is None:
            return f"{size} at an unknown rate"
        return f"{size} at {float(self.rate_hz):g} Hz ({float(self.ticks / self.rate_hz):.3g} s)"


def find_sidecar(spikes: Path | str) -> Sidecar | None:
    """The sidecar beside a spike file, None if there is none. Raises InputError if it is bad."""
    path = sidecar_path(spikes)
    return read_sidecar(path) if path.exists() else None


def resolve_spike_source(
    path: Path | str,
    options: SpikeOptions,
    sidecar: Sidecar | None = None,
    *,
    duration_s: Fraction | None = None,
    interval_s: Fraction = Fraction(0),
) -> SpikeSource:
    """Settle every setting: option, else sidecar, else inference (size and rate), else default.

    duration_s, interval_s: how long the video and one of its frames last, if there is a video.
    Raises UsageError that lists the readings unless exactly one fits; InputError for a bad file.
    """
    path = Path(path)
    noted = sidecar or Sidecar()
    noted_size = (noted.width, noted.height) if noted.width and noted.height else None
    size, size_origin = _first(options.size, noted_size, None)
    rate, rate_origin = _first(options.rate_hz, noted.rate_hz, None)
    if size is None or rate is None:
        inferred_size, inferred_rate = _infer(path, size, rate, duration_s, interval_s)
        if size is None:
            size, size_origin = inferred_size, "inferred"
        if rate is None:
            rate, rate_origin = inferred_rate, "inferred"
    noted_exposure = Exposure(noted.exposure_s) if noted.exposure_s else None
    whole_interval = Exposure(Fraction(1), relative=True)
    exposure, exposure_origin = _first(options.exposure, noted_exposure, whole_interval)
    offset, offset_origin = _first(options.offset_s, noted.offset_s, None)
    flip, flip_origin = _first(options.flip, noted.flip, True)
    bit_order, bit_order_origin = _first(None, noted.bit_order, "little")
    return SpikeSource(
        path=path,
        width=size[0],
        height=size[1],
        rate_hz=rate,
        flip=flip,
        bit_order=bit_order,
        offset_s=offset,
        exposure=exposure,
        exposure_start_s=noted.exposure_start_s,
        homography=noted.homography,
        origins={
            "size": size_origin,
            "rate": rate_origin,
            "exposure": exposure_origin,
            "offset": offset_origin,
            "flip": flip_origin,
            "bit_order": bit_order_origin,
            "homography": "sidecar" if noted.homography else "default",
        },
    )


def _first(option: T | None, noted: T | None, default: T) -> tuple[T, Origin]:
    if option is not None:
        return option, "option"
    if noted is not None:
        return noted, "sidecar"
    return default, "default"


def _infer(
    path: Path,
    size: tuple[int, int] | None,
    rate_hz: Fraction | None,
    duration_s: Fraction | None,
    interval_s: Fraction,
) -> tuple[tuple[int, int], Fraction]:
    """(width, height) and rate of the one reading that fits. Raises UsageError if not one does."""
    n_bytes = file_bytes(path)
    readings = _readings(n_bytes, size, rate_hz)
    fitting = readings
    if duration_s is not None:
        fitting = [reading for reading in readings if reading.lasts(duration_s, interval_s)]
    if len(fitting) == 1 and not (only := fitting[0]).has_header and only.rate_hz is not None:
        return (only.width, only.height), only.rate_hz
    unknown = [name for name, given in (("size", size), ("rate", rate_hz)) if given is None]
    wanted = {"size": "--spike-size WxH", "rate": "--spike-rate HZ"}
    advice = f"give {' and '.join(wanted[name] for name in unknown)}, or a sidecar"
    raise UsageError(
        f"cannot tell spike {' and '.join(unknown)} of {path} ({n_bytes:,} bytes seen; "
        f"{_explain(readings, fitting, duration_s)}) - {advice}"
    )


def _readings(
    n_bytes: int, size: tuple[int, int] | None, rate_hz: Fraction | None
) -> list[Reading]:
    """Every size (the given one, or known ones that fill the file) at every rate it may have."""
    if size is None:
        cameras: Sequence[Camera] = CAMERAS
    else:
        check_size(*size)
        every_rate = tuple(sorted({rate for camera in CAMERAS for rate in camera.rates_hz}))
        known = [camera for camera in CAMERAS if camera.size == size and camera.rates_hz]
        cameras = known or [Camera(*size, every_rate, "as given")]
    readings = []
    for camera in cameras:
        ticks, rest = divmod(n_bytes, plane_bytes(*camera.size))
        if rest:
            continue
        known_rates: list[Fraction | None] = [Fraction(rate) for rate in camera.rates_hz]
        for rate in (known_rates or [None]) if rate_hz is None else [rate_hz]:
            # A header chosen by the user's own size is theirs to read as it is.
            has_header = camera.has_header and size is None
            readings.append(Reading(*camera.size, rate, ticks, has_header))
    return readings


def _explain(
    readings: Sequence[Reading], fitting: Sequence[Reading], duration_s: Fraction | None
) -> str:
    if not readings:
        return "no known camera's planes fill it"
    lasting = "" if duration_s is None else f" and the video's {float(duration_s):.3g} s"
    if fitting:
        return f"readings that fit it{lasting}: {'; '.join(map(str, fitting))}"
    return f"readings that fit it, but not{lasting[4:]}: {'; '.join(map(str, readings))}"
