"""Settings of a recording, resolved: options, then its sidecar, then inference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from spikedeblur.io.spikes.arrays import ARRAY_SUFFIXES
from spikedeblur.io.spikes.inference import settled_format
from spikedeblur.io.spikes.settings import Origin, RecordingSettings, merged
from spikedeblur.io.spikes.stream import SpikeStream, stored_upside_down
from spikedeblur.quantities import Exposure

__all__ = ["SpikeSource", "recording_in", "resolve_spike_source"]

DEFAULTS = RecordingSettings(bit_order="little", exposure=Exposure(Fraction(1), relative=True))


@dataclass(frozen=True)
class SpikeSource:
    """A recording and how it is read, and in `settings.origins` where each value is from.

    Size, rate, flip, layout, bit order and exposure are known. No offset: tick 0 is at the first
    frame's time stamp. No key: there is only one array.
    """

    path: Path
    settings: RecordingSettings

    def open(self, first_pts_s: Fraction = Fraction(0)) -> SpikeStream:
        """The stream, with tick 0 at first_pts_s (seconds) if no offset was given."""
        settings = self.settings
        if settings.offset_s is None:
            settings = replace(settings, offset_s=first_pts_s)
        return SpikeStream.read_as(self.path, settings)

    @property
    def rate_hz(self) -> Fraction:
        """Ticks per second of the camera's own clock."""
        assert self.settings.rate_hz is not None
        return self.settings.rate_hz

    @property
    def exposure(self) -> Exposure:
        """Shutter time of a video frame."""
        assert self.settings.exposure is not None
        return self.settings.exposure

    def origin(self, setting: str) -> Origin:
        """Return where its value is from; "default" where it is not given."""
        return self.settings.origins.get(setting, "default")


def recording_in(folder: Path) -> Path | None:
    """The recording called `spikes` in a folder: a .dat before arrays before a folder of .dat."""
    names = [f"spikes{suffix}" for suffix in (".dat", *ARRAY_SUFFIXES)]
    found = [folder / name for name in names if (folder / name).is_file()]
    inner = folder / "spikes"
    return found[0] if found else inner if inner.is_dir() else None


def resolve_spike_source(
    path: Path | str,
    options: RecordingSettings,
    sidecar: RecordingSettings | None = None,
    *,
    duration_s: Fraction | None = None,
    interval_s: Fraction = Fraction(0),
) -> SpikeSource:
    """Settle every setting: option, sidecar, the options' fallback, inference, or default.

    duration_s, interval_s: how long the video and one of its frames last, if there is a video.
    Raises UsageError that lists the readings unless exactly one fits; InputError for a bad file.
    """
    path = Path(path)
    known = merged(
        ("option", options), ("sidecar", sidecar), ("rig", options.fallback), ("default", DEFAULTS)
    )
    reading = settled_format(path, known, duration_s=duration_s, interval_s=interval_s)
    camera = reading.camera
    inferred = RecordingSettings(
        size=camera.size, rate_hz=reading.rate_hz, layout=camera.layout.name
    )
    known = merged(("option", known), ("inferred", inferred))
    flip = RecordingSettings(flip=stored_upside_down(path, known.layout))
    return SpikeSource(path, merged(("option", known), ("default", flip)))
