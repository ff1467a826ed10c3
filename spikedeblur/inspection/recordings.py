"""A spike recording looked at: how it is read and why so, how often it fires, what it shows."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from spikedeblur.errors import UsageError
from spikedeblur.inspection.firing import firing_rates
from spikedeblur.inspection.previews import preview_picture, write_preview
from spikedeblur.io.image_names import named_sequence
from spikedeblur.io.spikes.inference import possible_formats
from spikedeblur.io.spikes.packed import are_parts, dat_files
from spikedeblur.io.spikes.settings import RecordingSettings, merged
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.io.spikes.size_from_bits import LikelyPlane, likely_plane
from spikedeblur.io.spikes.source import SpikeSource, resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream, is_array_file
from spikedeblur.io.voxels import is_voxel_file

_SHORT = {"width": "size", "rate_hz": "rate", "offset_s": "offset"}

__all__ = ["Recording", "is_recording", "open_recording", "recordings_of"]


@dataclass
class Recording:
    """An opened recording. stream: None where even its plane is unknown; its rate is 1 where
    `rate_known` is False. facts: how it is read, in words.
    """

    stream: SpikeStream | None
    rate_known: bool
    facts: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """The facts, and how often the pixels fire; rates None where the tick's length is."""
        if self.stream is None:
            return self.facts
        rates = firing_rates(self.stream)
        lowest, highest = rates.extremes
        hertz = float(self.stream.rate_hz) if self.rate_known else None
        in_hertz = {
            name: None if hertz is None else round(share * hertz, 3)
            for name, share in (
                ("mean_rate_hz", rates.mean),
                ("lowest_rate_hz", lowest),
                ("highest_rate_hz", highest),
            )
        }
        return {
            **self.facts,
            "spikes_per_tick": round(rates.mean, 6),
            **in_hertz,
            "always_on_pixels": int(rates.always_on.sum()),
            "dead_pixels": int(rates.dead.sum()),
            "measured_ticks": rates.ticks,
        }

    def picture(self) -> np.ndarray | None:
        """The middle of the recording, (H, W, 3) uint8; None where the plane is unknown."""
        if self.stream is None:
            return None
        return preview_picture(self.stream, self.stream.ticks // 2)

    def write_preview(self, path: Path, method: str, overwrite: bool = False) -> None:
        """Write a picture or film of it. Raises UsageError where the plane is unknown."""
        if self.stream is None:
            raise UsageError(self.facts["note"])
        write_preview(self.stream, path, method, overwrite=overwrite)

    def close(self) -> None:
        """Let go of the file."""
        if self.stream is not None:
            self.stream.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_recording(path: Path) -> bool:
    """Return whether a path holds spikes: a .dat, a folder, or an array that is no voxel grid."""
    array = is_array_file(path) and not is_voxel_file(path)
    return path.suffix.lower() in {".dat", ".mat"} or path.is_dir() or array


def images_of(path: Path) -> Path:
    """The sequence that a folder without recordings, or a glob, stands for; else `path` itself."""
    if path.is_dir() and any(each.suffix.lower() == ".dat" for each in path.iterdir()):
        return path
    return named_sequence(path)


def recordings_of(path: Path) -> list[Path]:
    """What a path stands for: a folder's recordings, unless they are parts of one; its images."""
    path = images_of(path)
    if not path.is_dir():
        return [path]
    files = dat_files(path)
    return [path] if are_parts(files) else files


def open_recording(path: Path, options: RecordingSettings) -> Recording:
    """Open a recording to look at it, by what is known of it or else by what its bits speak for.

    Raises InputError for a file that is missing, empty or damaged, UsageError for options that
    cannot be.
    """
    sidecar = find_sidecar(path)
    try:
        source = resolve_spike_source(path, options, sidecar)
    except UsageError as error:
        return _guessed(path, options, sidecar, str(error))
    if source.origin("width") != "inferred" or is_array_file(path):
        return Recording(source.open(), True, _known(source))
    likely = likely_plane(path)
    told = {} if likely is None else _likely_facts(likely)
    return Recording(source.open(), True, {**_known(source), **told})


def _likely_facts(likely: LikelyPlane) -> dict[str, Any]:
    return {"likely": str(likely.camera), "likely_because": likely.reason}


def _guessed(
    path: Path, options: RecordingSettings, sidecar: RecordingSettings | None, problem: str
) -> Recording:
    """A recording whose size or rate nobody gave; `problem` says which readings fit."""
    readings = possible_formats(path, options)
    rate_known = any(each and each.rate_hz for each in (options, sidecar, options.fallback))
    if not rate_known:
        unknown = RecordingSettings(rate_hz=Fraction(1))
        options = merged(("option", options), ("unknown", unknown))
    facts: dict[str, Any] = {
        "sizes_that_fit": sorted({"{}x{}".format(*each.camera.size) for each in readings}),
        "readings_that_fit": [str(each) for each in readings],
        "note": problem,
    }
    source = None
    with suppress(UsageError):
        source = resolve_spike_source(path, options, sidecar)
    if source is None or (source.origin("width") == "inferred" and not is_array_file(path)):
        likely = None if is_array_file(path) else likely_plane(path)
        facts |= {"likely": None} if likely is None else _likely_facts(likely)
        agrees = source and (likely is None or likely.camera.size == source.settings.pixels)
        if not agrees and (likely is None or likely.rest):
            return Recording(None, False, {"kind": "spikes", **facts})
        if not agrees and likely is not None:
            guessed = RecordingSettings(size=likely.camera.size, layout=likely.camera.layout.name)
            options = merged(("guessed", guessed), ("option", options))
            source = resolve_spike_source(path, options, sidecar)
    assert source is not None
    known = _known(source)
    if not rate_known:
        known |= {"rate_hz": None, "duration_s": None}
    return Recording(source.open(), rate_known, {**known, **facts})


def _known(source: SpikeSource) -> dict[str, Any]:
    with source.open() as stream:
        ticks, duration, rate = stream.ticks, float(stream.duration_s), float(stream.rate_hz)
    settings = source.settings
    return {
        "kind": "spikes",
        "width": settings.width,
        "height": settings.height,
        "rate_hz": rate,
        "ticks": ticks,
        "duration_s": duration,
        "layout": settings.layout,
        "flip": settings.flip,
        "bit_order": settings.bit_order,
        "exposure": str(settings.exposure),
        "offset_s": None if settings.offset_s is None else float(settings.offset_s),
        "origins": _origins(source),
    }


def _origins(source: SpikeSource) -> list[str]:
    """Return the origin of each setting that was given."""
    origins = source.settings.origins
    names = (name for name in source.settings.given if name != "height" and name in origins)
    return [
        f"{_SHORT.get(name, name)}: {origins[name]}" for name in names if origins[name] != "default"
    ]
