"""The report of `deblur --dry-run`: how the files would be read, and what would be written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikedeblur.cli.batch import VideoJob
from spikedeblur.cli.console import Console, printable

if TYPE_CHECKING:
    from spikedeblur.agreement import Agreement
    from spikedeblur.io.spikes.settings import RecordingSettings
    from spikedeblur.io.video import Reader, VideoSelection
    from spikedeblur.restoration.pipeline import Deblurrer


def tell_plan(
    console: Console,
    deblurrer: Deblurrer,
    job: VideoJob,
    options: RecordingSettings,
    selection: VideoSelection,
    as_json: bool,
) -> None:
    """Write the plan to stdout; reads headers and a few frames, writes nothing else.

    Raises what a run would for spikes that cover no frame.
    """
    from spikedeblur.output.parts import Parts

    parts = Parts(job.output)
    with selection.open(job.video) as reader:
        agreement = deblurrer.check(
            job.video, job.spikes, spike_options=options, selection=selection
        )
        plan = {
            "video": _video(reader),
            **_spikes(deblurrer, reader, job.spikes, options),
            **({} if agreement is None else {"fit": _fit(agreement)}),
            **_network(deblurrer, reader),
            "output": f"{job.output}{' (exists)' if job.output.exists() else ''}",
        }
    if done := len(parts.numbers()):
        plan["resume"] = f"{done} segments are done ({parts.folder})"
    findings = [] if agreement is None else agreement.findings
    for finding in findings:
        console.warn(finding.text)
    if as_json:
        warnings = [{"code": each.code, "message": each.text, **each.figures} for each in findings]
        figures = {} if agreement is None else agreement.figures
        console.json({"event": "plan", **plan, **figures, "warnings": warnings})
        return
    for name, value in plan.items():
        console.data(printable(f"{name:9}{value}"))


def _fit(agreement: Agreement) -> str:
    if agreement.match is None:
        return f"cannot tell: {agreement.untold}"
    return f"likeness {agreement.match:.3f} of spikes to {agreement.frames} frames, at most 1"


def _video(reader: Reader) -> str:
    info = reader.info
    frames, streams = info.frame_count_estimate, len(info.streams)
    counted = "1 stream" if streams == 1 else f"{streams} streams"
    return (
        f"{reader.path}: {info.width}x{info.height} {info.pix_fmt}, "
        f"{'about ' + str(frames) if frames else 'unknown number of'} frames, "
        f"{float(info.average_rate):g} fps, {counted}"
    )


def _spikes(
    deblurrer: Deblurrer, reader: Reader, spikes: Path | None, options: RecordingSettings
) -> dict[str, Any]:
    from spikedeblur.recording.exposures import StreamExposures

    frames, exposures = deblurrer.open_spikes(reader, spikes, options)
    if exposures is None:
        return {"spikes": "none"}
    width, height = exposures.size
    if not isinstance(exposures, StreamExposures):
        return {"spikes": f"{spikes}: voxel grids of {width}x{height}"}
    stream, first = exposures.stream, next(frames)
    interval = exposures.interval(*first.span)
    return {
        "spikes": f"{stream.path}: {width}x{height} at {float(stream.rate_hz):g} Hz, "
        f"{stream.ticks} ticks, from {float(stream.offset_s):g} s on the video's clock",
        "exposure": f"first frame: ticks {float(interval.start):.1f} to {float(interval.stop):.1f}",
    }


def _network(deblurrer: Deblurrer, reader: Reader) -> dict[str, Any]:
    from spikedeblur.restoration.restorers import NetRestorer

    tiled, restorer = deblurrer.tiled, deblurrer.restorer
    if tiled is None or not isinstance(restorer, NetRestorer):
        return {"method": deblurrer.method}
    info = reader.info
    tile = tiled.tile or tiled.choose_tile(info.height, info.width, restorer.window)
    tiles = len(tiled.grid(info.height, info.width, tile))
    return {
        "method": f"net on {tiled.device}, {tiled.precision}",
        "windows": f"{restorer.window} frames every {restorer.stride}",
        "tiles": f"{tiles} a frame, {tile} pixels, overlap {tiled.overlap_of(tile)}, "
        f"up to about {tiled.working_bytes(tile, restorer.window) / 1e6:.0f} MB",
    }
