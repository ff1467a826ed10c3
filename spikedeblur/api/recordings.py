"""Recordings from Python: what a file is, how two cameras lie to each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from spikedeblur.alignment.estimation import Aligner
from spikedeblur.alignment.findings import Alignment, Known
from spikedeblur.alignment.footage import read_footage
from spikedeblur.alignment.recordings import align_files
from spikedeblur.api.calls import python_call
from spikedeblur.api.rigs import RigKeywords, recording_settings
from spikedeblur.api.sources import FramesLike, exact_seconds, video_source
from spikedeblur.api.voxelizing import SpikeInput, opened_stream
from spikedeblur.errors import CallError, UsageError
from spikedeblur.inspection.files import inspect
from spikedeblur.io.spikes.settings import RecordingSettings, merged, parse_homography
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.spikes.source import DEFAULTS, SpikeSource
from spikedeblur.notebook import fact_table
from spikedeblur.quantities import Exposure, RateLike, parse_exposure, parse_matrix

__all__ = ["FileFacts", "align", "info"]


class FileFacts(dict[str, Any]):
    """What is known of a file, by name; `kind` says what it is."""

    def _repr_html_(self) -> str:
        return fact_table(str(self.get("kind", "file")), self)


@python_call
def info(path: str | Path, **rig: Unpack[RigKeywords]) -> FileFacts:
    """What a file is: video, spikes, voxel grids, a sidecar, or weights (by name, too).

    rig: how to read spikes, as of `RigKeywords`. Raises `SpikedeblurError`.
    """
    return FileFacts(inspect(Path(path), recording_settings(path, rig)))


@python_call
def align(
    frames: FramesLike,
    spikes: SpikeInput,
    *,
    fps: RateLike | None = None,
    fix: Mapping[str, Any] | None = None,
    drift: bool = False,
    output: str | Path | None = None,
    overwrite: bool = False,
    **rig: Unpack[RigKeywords],
) -> Alignment:
    """Estimate from content how the clocks and planes of both cameras lie to each other.

    frames, spikes, fps, rig: as of `deblur`; offset and exposure are where the search begins. fix:
    what is known and not to be estimated, of offset, exposure and homography. drift: estimate how
    the clocks drift apart, too. output: a sidecar to write; its settings are `found.sidecar()`,
    which `deblur` takes as rig. Raises `InputError` where the recording does not tell.
    """
    options, known = recording_settings(spikes, rig), _known(fix or {})
    source = video_source(frames, fps)
    if isinstance(spikes, str | Path) and isinstance(source, Path):
        found = align_files(source, Path(spikes), options, known, drift)
    else:
        found = _aligned(source, spikes, options, known, drift)
    if output is not None:
        write_sidecar(output, found.sidecar(), overwrite=overwrite)
    return found


def _aligned(
    source: Any, spikes: SpikeInput, options: RecordingSettings, known: Known, drift: bool
) -> Alignment:
    footage = read_footage(source, options.transfer)
    first = footage.first_s, footage.first_interval_s
    stream = opened_stream(spikes, options, first, footage.duration_s)
    size = RecordingSettings(size=(stream.width, stream.height))
    settings = merged(("option", stream.settings), ("inferred", size), ("default", DEFAULTS))
    return Aligner(footage, SpikeSource(stream.path, settings), stream, known, drift).run()


def _known(fix: Mapping[str, Any]) -> Known:
    """What is known. Raises `CallError` for what cannot be, `UsageError` for its value."""
    names = "offset", "exposure", "homography"
    for name in fix:
        if name not in names:
            raise CallError(f"{name!r} cannot be fixed - give {', '.join(names)}")
    offset, exposure, homography = (fix.get(name) for name in names)
    if isinstance(exposure, str):
        exposure = parse_exposure(exposure)
    elif exposure is not None and not isinstance(exposure, Exposure):
        exposure = Exposure(exact_seconds(exposure))
    if isinstance(homography, str):
        homography = parse_matrix(homography)
    matrix = None if homography is None else parse_homography(homography)
    if homography is not None and matrix is None:
        raise UsageError("not a homography - give nine numbers, the rows of an invertible matrix")
    return Known(None if offset is None else exact_seconds(offset), exposure, matrix)
