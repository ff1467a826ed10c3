"""Deblurring of RGB video with a spike camera's recording of the same scene.

The public names are loaded when they are first used: importing this package costs nothing, so that
the command line can answer at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikedeblur.alignment import align
    from spikedeblur.api.deblurring import deblur
    from spikedeblur.api.frames import SharpFrames
    from spikedeblur.benchmarking.scoring import score
    from spikedeblur.errors import SpikedeblurError
    from spikedeblur.io.spikes.settings import RecordingSettings
    from spikedeblur.io.spikes.stream import SpikeStream, write_dat
    from spikedeblur.io.video import open_video
    from spikedeblur.models.checkpoint import load_model
    from spikedeblur.output.shards import Shard
    from spikedeblur.recording.voxel import voxelize
    from spikedeblur.report.preview import preview
    from spikedeblur.restoration.pipeline import Deblurrer

__all__ = [
    "Deblurrer",
    "RecordingSettings",
    "Shard",
    "SharpFrames",
    "SpikeStream",
    "SpikedeblurError",
    "__version__",
    "align",
    "deblur",
    "load_model",
    "open_video",
    "preview",
    "score",
    "voxelize",
    "write_dat",
]

_HOMES = {
    "Deblurrer": "spikedeblur.restoration.pipeline",
    "SharpFrames": "spikedeblur.api.frames",
    "deblur": "spikedeblur.api.deblurring",
    "Shard": "spikedeblur.output.shards",
    "RecordingSettings": "spikedeblur.io.spikes.settings",
    "SpikeOptions": "spikedeblur.io.spikes.settings",
    "SpikeStream": "spikedeblur.io.spikes.stream",
    "SpikedeblurError": "spikedeblur.errors",
    "align": "spikedeblur.alignment",
    "load_model": "spikedeblur.models.checkpoint",
    "open_video": "spikedeblur.io.video",
    "preview": "spikedeblur.report.preview",
    "score": "spikedeblur.benchmarking.scoring",
    "voxelize": "spikedeblur.recording.voxel",
    "write_dat": "spikedeblur.io.spikes.stream",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("spikedeblur")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0.0.0+source"
