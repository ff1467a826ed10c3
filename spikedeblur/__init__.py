"""Deblurring of RGB video with a spike camera's recording of the same scene.

The public names are loaded when they are first used: importing this package costs nothing, so that
the command line can answer at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikedeblur.agreement.verdict import Agreement
    from spikedeblur.alignment.findings import Alignment
    from spikedeblur.api.deblurrer import Deblurrer
    from spikedeblur.api.deblurring import deblur
    from spikedeblur.api.exporting import export, graph_inputs
    from spikedeblur.api.frames import SharpFrames
    from spikedeblur.api.measuring import BenchmarkFigures, benchmark, preview, score
    from spikedeblur.api.recordings import FileFacts, align, info
    from spikedeblur.api.simulating import simulate
    from spikedeblur.api.streams import SpikeStream
    from spikedeblur.api.training import TrainedRun, train
    from spikedeblur.api.voxelizing import voxelize
    from spikedeblur.benchmarking.scoring import VideoScore
    from spikedeblur.errors import SpikedeblurError
    from spikedeblur.io.spikes.settings import RecordingSettings
    from spikedeblur.io.spikes.stream import write_dat
    from spikedeblur.io.video import open_video
    from spikedeblur.io.video_info import VideoFrame
    from spikedeblur.models.checkpoint import load_model
    from spikedeblur.output.frame_counts import FrameCounts
    from spikedeblur.output.options import OutputOptions
    from spikedeblur.output.shards import Shard
    from spikedeblur.quantities import Exposure, Region
    from spikedeblur.report.preview import Preview

__all__ = [
    "Agreement",
    "Alignment",
    "BenchmarkFigures",
    "Deblurrer",
    "Exposure",
    "FileFacts",
    "FrameCounts",
    "OutputOptions",
    "Preview",
    "RecordingSettings",
    "Region",
    "Shard",
    "SharpFrames",
    "SpikeStream",
    "SpikedeblurError",
    "TrainedRun",
    "VideoFrame",
    "VideoScore",
    "__version__",
    "align",
    "benchmark",
    "deblur",
    "export",
    "graph_inputs",
    "info",
    "load_model",
    "open_video",
    "preview",
    "score",
    "simulate",
    "train",
    "voxelize",
    "write_dat",
]

_HOMES = {
    "Agreement": "spikedeblur.agreement.verdict",
    "Alignment": "spikedeblur.alignment.findings",
    "BenchmarkFigures": "spikedeblur.api.measuring",
    "Deblurrer": "spikedeblur.api.deblurrer",
    "Exposure": "spikedeblur.quantities",
    "FileFacts": "spikedeblur.api.recordings",
    "FrameCounts": "spikedeblur.output.frame_counts",
    "OutputOptions": "spikedeblur.output.options",
    "Preview": "spikedeblur.report.preview",
    "RecordingSettings": "spikedeblur.io.spikes.settings",
    "Region": "spikedeblur.quantities",
    "Shard": "spikedeblur.output.shards",
    "SharpFrames": "spikedeblur.api.frames",
    "SpikeOptions": "spikedeblur.io.spikes.settings",
    "SpikeStream": "spikedeblur.api.streams",
    "SpikedeblurError": "spikedeblur.errors",
    "TrainedRun": "spikedeblur.api.training",
    "VideoFrame": "spikedeblur.io.video_info",
    "VideoScore": "spikedeblur.benchmarking.scoring",
    "align": "spikedeblur.api.recordings",
    "benchmark": "spikedeblur.api.measuring",
    "deblur": "spikedeblur.api.deblurring",
    "export": "spikedeblur.api.exporting",
    "graph_inputs": "spikedeblur.api.exporting",
    "info": "spikedeblur.api.recordings",
    "load_model": "spikedeblur.models.checkpoint",
    "open_video": "spikedeblur.io.video",
    "preview": "spikedeblur.api.measuring",
    "score": "spikedeblur.api.measuring",
    "simulate": "spikedeblur.api.simulating",
    "train": "spikedeblur.api.training",
    "voxelize": "spikedeblur.api.voxelizing",
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
