"""How a recording is to be read: options, then its sidecar, then what it gives away itself."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeVar

from spikedeblur.io.spikes.arrays import ARRAY_SUFFIXES
from spikedeblur.io.spikes.inference import settled_reading
from spikedeblur.io.spikes.sidecar import Sidecar, read_sidecar, sidecar_path
from spikedeblur.io.spikes.stream import Crop, SpikeStream, stored_upside_down
from spikedeblur.quantities import Exposure

__all__ = ["SpikeOptions", "SpikeSource", "find_sidecar", "recording_in", "resolve_spike_source"]

Origin = Literal["option", "sidecar", "inferred", "default", "guessed", "unknown"]
T = TypeVar("T")


@dataclass(frozen=True)
class SpikeOptions:
    """What the caller says about a spike file; None where nothing is said.

    size: (width, height) in pixels. rate_hz: ticks per second. offset_s: time of tick 0 on the
    video's clock. flip: rows stored bottom-up. layout, bit_order: of packed planes. key: name of
    the array in a file of several.
    """

    size: tuple[int, int] | None = None
    rate_hz: Fraction | None = None
    exposure: Exposure | None = None
    offset_s: Fraction | None = None
    flip: bool | None = None
    layout: str | None = None
    bit_order: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class SpikeSource:
    """How a recording is read, and where each setting came from.

    width, height: pixels of the sensor. key: None for the only array.
    offset_s: None if nobody gave it; tick 0 is then at the first frame's time stamp.
    exposure_start_s: None if the exposure is centred in the frame interval.
    crop: the part of the plane to use. scale: video pixels per spike pixel, across and down.
    homography: sensor pixel -> video pixel. Without it and a scale, the (crop of the) spike plane
    is stretched onto the video's.
    origins: setting -> "option", "sidecar", "inferred" or "default".
    """

    path: Path
    width: int
    height: int
    rate_hz: Fraction
    flip: bool
    layout: str
    bit_order: str
    key: str | None
    offset_s: Fraction | None
    exposure: Exposure
    exposure_start_s: Fraction | None
    crop: Crop | None
    scale: tuple[float, float] | None
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
            layout=self.layout,
            key=self.key,
            crop=self.crop,
        )


def find_sidecar(spikes: Path | str) -> Sidecar | None:
    """The sidecar beside a spike file, None if there is none. Raises InputError if it is bad."""
    path = sidecar_path(spikes)
    return read_sidecar(path) if path.exists() else None


def recording_in(folder: Path) -> Path | None:
    """The recording called `spikes` in a folder: a .dat before arrays before a folder of .dat."""
    names = [f"spikes{suffix}" for suffix in (".dat", *ARRAY_SUFFIXES)]
    found = [folder / name for name in names if (folder / name).is_file()]
    inner = folder / "spikes"
    return found[0] if found else inner if inner.is_dir() else None


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
    key, key_origin = _first(options.key, noted.key, None)
    bit_order, bit_order_origin = _first(options.bit_order, noted.bit_order, "little")
    reading = settled_reading(
        path,
        size=options.size or noted_size,
        rate_hz=options.rate_hz or noted.rate_hz,
        layout=options.layout or noted.layout,
        key=key,
        bit_order=bit_order,
        duration_s=duration_s,
        interval_s=interval_s,
    )
    size, size_origin = _first(options.size, noted_size, reading.camera.size, "inferred")
    rate, rate_origin = _first(options.rate_hz, noted.rate_hz, reading.rate_hz, "inferred")
    layout, layout_origin = _first(
        options.layout, noted.layout, reading.camera.layout.name, "inferred"
    )
    noted_exposure = Exposure(noted.exposure_s) if noted.exposure_s else None
    whole_interval = Exposure(Fraction(1), relative=True)
    exposure, exposure_origin = _first(options.exposure, noted_exposure, whole_interval)
    offset, offset_origin = _first(options.offset_s, noted.offset_s, None)
    assert rate is not None  # a settled reading has one
    flip, flip_origin = _first(options.flip, noted.flip, stored_upside_down(path, layout))
    return SpikeSource(
        path=path,
        width=size[0],
        height=size[1],
        rate_hz=rate,
        flip=flip,
        layout=layout,
        bit_order=bit_order,
        key=key,
        offset_s=offset,
        exposure=exposure,
        exposure_start_s=noted.exposure_start_s,
        crop=noted.crop,
        scale=noted.scale,
        homography=noted.homography,
        origins={
            "size": size_origin,
            "rate": rate_origin,
            "exposure": exposure_origin,
            "offset": offset_origin,
            "flip": flip_origin,
            "layout": layout_origin,
            "bit_order": bit_order_origin,
            "key": key_origin,
            **{
                name: "sidecar" if getattr(noted, name) else "default"
                for name in ("crop", "scale", "homography")
            },
        },
    )


def _first(
    option: T | None, noted: T | None, otherwise: T, origin: Origin = "default"
) -> tuple[T, Origin]:
    if option is not None:
        return option, "option"
    if noted is not None:
        return noted, "sidecar"
    return otherwise, origin
