"""What `deblur` says before it begins, and `--dry-run` at more length."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from spikedeblur.cli.console import Console, printable
from spikedeblur.quantities import counted

if TYPE_CHECKING:
    from spikedeblur.agreement import Agreement
    from spikedeblur.cli.batch import VideoJob
    from spikedeblur.cli.deblurring import Task
    from spikedeblur.io.video import VideoSelection
    from spikedeblur.restoration.plan import RunPlan


def dry_run(
    console: Console, task: Task, job: VideoJob, selection: VideoSelection
) -> dict[str, Any]:
    """Say what a run would do; its numbers are returned. Raises what a run would fail by.

    Reads a few frames and their spikes, restores a small part of them, and writes nothing.
    """
    deblurrer, settings = task.deblurrer, task.spike_options
    from spikedeblur.io.video import unused_rate
    from spikedeblur.restoration.plan import plan_run

    with selection.open(job.video, strict=task.strict) as reader:
        of_video = [*unused_rate(job.video, selection.rate), *reader.warnings]
    began = time.perf_counter()
    placed = None
    if task.instants is not None:
        placed = deblurrer.place_instants(job.video, job.spikes, task.instants, selection, settings)
    agreement = deblurrer.check(job.video, job.spikes, spike_options=settings, selection=selection)
    checked_s = time.perf_counter() - began
    check_job_output(task, job, selection)
    plan = plan_run(
        deblurrer,
        job.video,
        job.spikes,
        job.output,
        spike_options=settings,
        selection=selection,
        options=task.output_options,
        agreement=agreement,
        checked_s=checked_s,
        instants=placed,
    )
    findings = [] if agreement is None else agreement.findings
    for text in [*of_video, *(each.text for each in findings)]:
        console.warn(text)
    done = _segments_done(job.output)
    if not task.as_json:
        for name, value in _lines(plan, job, agreement):
            console.data(printable(f"{name:9}{value}"))
        if done:
            console.data(printable(f"{'resume':9}{done} segments are done"))
    return {
        "video": str(job.video),
        **plan.figures(),
        "segments_done": done,
        "warnings": [
            *({"code": "video", "message": text} for text in of_video),
            *({"code": each.code, "message": each.text, **each.figures} for each in findings),
        ],
    }


def start_line(plan: RunPlan) -> str:
    """What is about to be done, in a line."""
    tiling = plan.tiling
    frames = counted(plan.frames, "frame") if plan.frames else "frames"
    if plan.slowmo > 1:
        frames += f" (times {plan.slowmo})"
    how = plan.method
    if tiling is not None:
        tiles = "one tile" if tiling.tiles == 1 else f"{tiling.tiles} tiles of {tiling.tile} pixels"
        how += f" on {tiling.device}, {tiling.precision}, windows of {tiling.window} in {tiles}"
    cost = _cost(plan)
    size = f"{plan.source.width}x{plan.source.height}"
    told = f"{frames} of {size} by {how}, {counted(plan.threads, 'thread')}"
    return f"{told}: {cost}" if cost else told


def total(plans: list[dict[str, Any]]) -> dict[str, Any]:
    """The plan of a call: the numbers of all videos together, and of each."""

    def summed(name: str) -> Any:
        values = [plan[name] for plan in plans]
        return None if None in values else sum(values)

    matches = [plan.get("spike_match") for plan in plans]
    known = [match for match in matches if match is not None]
    return {
        "event": "plan",
        "frames": summed("frames"),
        "covered_frames": summed("covered_frames"),
        "spike_match": min(known) if known and len(known) == len(plans) else None,
        "seconds_estimate": summed("seconds_estimate"),
        "peak_rss_mb_estimate": max(
            (p["peak_rss_mb_estimate"] for p in plans if p["peak_rss_mb_estimate"]), default=None
        ),
        "output_mb_estimate": summed("output_mb_estimate"),
        "warnings": [{**each, "input": p["video"]} for p in plans for each in p["warnings"]],
        "videos": plans,
    }


def check_job_output(task: Task, job: VideoJob, selection: VideoSelection) -> None:
    """Raise what a run would for its output."""
    from spikedeblur.io.atomic import check_folder
    from spikedeblur.io.pipes import is_pipe
    from spikedeblur.output.instants import pictures_alone
    from spikedeblur.output.segmented import check_destination

    if is_pipe(job.output):
        return
    in_parts = task.job.resume or task.shard.count > 1
    with selection.open(job.video) as reader:
        source = task.deblurrer.slow_motion.info(reader.info.written)
    if task.instants is not None:
        source = pictures_alone(source, len(set(task.instants)))
    if job.output.parent.is_dir():
        check_destination(job.output, source, task.output_options, in_parts=in_parts)
        return
    check_folder(job.output.parent)
    with TemporaryDirectory() as folder:  # in place of the one that is still to be made
        there = Path(folder) / job.output.name
        check_destination(there, source, task.output_options, in_parts=in_parts)


def _segments_done(output: Path) -> int:
    from spikedeblur.output.parts import Parts

    return len(Parts(output).numbers())


def _lines(plan: RunPlan, job: VideoJob, agreement: Agreement | None) -> Iterator[tuple[str, str]]:
    from spikedeblur.recording.exposures import StreamExposures

    info, exposures = plan.info, plan.exposures
    frames = f"about {plan.frames}" if plan.frames else "unknown number of"
    yield (
        "video",
        f"{job.video}: {plan.source.width}x{plan.source.height} {info.pix_fmt}, {frames} frames, "
        f"{float(info.average_rate):g} fps, {counted(len(info.streams), 'stream')}",
    )
    if exposures is None:
        yield "spikes", "none"
    elif isinstance(exposures, StreamExposures):
        stream = exposures.stream
        yield (
            "spikes",
            f"{stream.path}: {stream.width}x{stream.height} at {float(stream.rate_hz):g} Hz, "
            f"{stream.ticks} ticks, from {float(stream.offset_s):g} s on the video's clock",
        )
        opening = exposures.interval(info.start or info.begin, 1 / info.average_rate)
        yield (
            "exposure",
            f"first frame: ticks {float(opening.start):.1f} to {float(opening.stop):.1f}",
        )
    else:
        width, height = exposures.size
        yield "spikes", f"{job.spikes}: voxel grids of {width}x{height}"
    if agreement is not None:
        coverage = agreement.coverage
        covered = "" if coverage is None else f"; {coverage.covered} of {coverage.frames} covered"
        yield "fit", f"{_fit(agreement)}{covered}"
    threads = counted(plan.threads, "thread")
    if (tiling := plan.tiling) is None:
        yield "method", f"{plan.method}, {threads}"
    else:
        yield "method", f"net on {tiling.device}, {tiling.precision}, {threads}"
        yield "windows", f"{tiling.window} frames every {tiling.stride}"
        yield "tiles", f"{tiling.tiles} a frame, {tiling.tile} pixels, overlap {tiling.overlap}"
    if plan.instants is not None:
        yield "instants", f"{len(plan.instants.all)}, in {len(plan.instants.times)} frames"
    yield "cost", _cost(plan) or "not known"
    yield "output", str(plan.output)


def _fit(agreement: Agreement) -> str:
    if agreement.match is None:
        return f"cannot tell: {agreement.untold}"
    return f"likeness {agreement.match:.3f} of spikes to {agreement.frames} frames, at most 1"


def _cost(plan: RunPlan) -> str:
    parts = []
    if plan.seconds is not None:
        parts.append(f"about {_duration(plan.seconds)}")
    if plan.peak_mb is not None:
        parts.append(f"up to about {_size(plan.peak_mb)} of memory")
    if plan.output_mb is not None:
        parts.append(f"about {_size(plan.output_mb)} written")
    return ", ".join(parts)  # empty where nothing is known


def _size(megabytes: float) -> str:
    return f"{megabytes / 1000:.2g} GB" if megabytes >= 1000 else f"{megabytes:.3g} MB"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
