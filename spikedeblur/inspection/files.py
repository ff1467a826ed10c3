"""Descriptions of files as plain values: for `info` and for Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spikedeblur.errors import InputError
from spikedeblur.inspection.recordings import images_of, is_recording, open_recording
from spikedeblur.inspection.weights import describe_weights, packaged_file
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.vocabulary import WEIGHTS_SUFFIXES


def inspect(path: Path, options: RecordingSettings | None = None) -> dict[str, Any]:
    """`kind` (video, spikes, voxels, weights) of a file, or of packaged weights by name, and more.

    options: how to read spikes, beating their sidecar. Raises `InputError` for what is missing,
    damaged, or none of these.
    """
    path = images_of(path)
    if "%" not in path.name and not path.exists():
        if (packaged := packaged_file(path)) is not None:
            return describe_weights(packaged)
        raise InputError(f"there is no file {path} - check the name{_names(path)}")
    suffix = path.suffix.lower()
    if is_recording(path):
        return _spikes(path, options or RecordingSettings())
    if suffix in (".npy", ".npz"):
        return _voxels(path)
    if suffix in WEIGHTS_SUFFIXES:
        return describe_weights(path)
    if suffix == ".toml":
        return _sidecar(path)
    if suffix in (".tif", ".tiff"):
        try:
            return _voxels(path)
        except InputError:
            pass  # an image, then
    return _video(path)


def _names(path: Path) -> str:
    """The names of weights that come with the program, where one of them may be meant."""
    if path.suffix or path.parent.name:
        return ""
    from spikedeblur.models.checkpoint import packaged_weights

    return f"; weights that come with the program: {', '.join(packaged_weights())}"


def _spikes(path: Path, options: RecordingSettings) -> dict[str, Any]:
    with open_recording(path, options) as recording:
        return recording.describe()


def _voxels(path: Path) -> dict[str, Any]:
    from spikedeblur.io.voxels import VoxelFile

    with VoxelFile(path) as voxels:
        frames, bins, height, width = voxels.shape
        return {
            "kind": "voxels",
            "frames": frames,
            "bins": bins,
            "width": width,
            "height": height,
            "rate_hz": voxels.info.rate_hz,
            "exposure_s": voxels.info.exposure_s,
            "homography": voxels.info.homography and list(voxels.info.homography),
            "spikes_in_first_frame": round(float(voxels[0].sum()), 3),
        }


def _sidecar(path: Path) -> dict[str, Any]:
    from spikedeblur.io.spikes.sidecar import plain_values, read_sidecar

    return {"kind": "sidecar", **plain_values(read_sidecar(path))}


def _video(path: Path) -> dict[str, Any]:
    from spikedeblur.io.video import open_video
    from spikedeblur.recording.transfer import curve_name, transfer_of

    with open_video(path) as reader:
        info, first = reader.info, next(iter(reader))
        return {
            "kind": "video",
            "width": info.width,
            "height": info.height,
            "frames_estimate": info.frame_count_estimate,
            "duration_s": None if info.length is None else float(info.length),
            "fps": float(info.average_rate),
            "first_time_s": float(first.time),
            "time_base": str(info.time_base),
            "codec": info.codec,
            "container": info.container,
            "pix_fmt": info.pix_fmt,
            "bit_depth": info.bit_depth,
            "colour_matrix": info.matrix_name,
            "full_range": info.full_range,
            "transfer": curve_name(transfer_of(None, info.colour)),
            "rotation": info.rotation,
            "streams": [f"{each.index}: {each.kind} {each.codec}" for each in info.streams],
            "warnings": list(reader.warnings),
        }
