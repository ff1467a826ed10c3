"""spikedeblur deblur: a blurry video and its spikes become a sharp video."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikedeblur.cli.batch import Outcome, VideoJob, plan_jobs, run_jobs
from spikedeblur.cli.beforehand import (
    check_paths,
    check_stdout,
    chosen_shard,
    meant_output,
    stdin_stored,
)
from spikedeblur.cli.command import Command
from spikedeblur.cli.console import Console
from spikedeblur.cli.deblurring import Task, VideoPart, deblur_item
from spikedeblur.cli.displays import progress_display
from spikedeblur.cli.job_options import JobOptions, job_options
from spikedeblur.cli.light_options import headroom_option, strength_option, transfer_option
from spikedeblur.cli.lists import check_list, read_list
from spikedeblur.cli.options import (
    compute_options,
    json_option,
    output_options,
    overwrite_option,
    parallax_option,
    progress_option,
    spike_options,
    weights_option,
)
from spikedeblur.cli.parallel import AtOnce
from spikedeblur.cli.results import BatchResults
from spikedeblur.cli.status import ExitStatus
from spikedeblur.cli.values import HERTZ, INSTANT_LIST, REGION, TILE, TIME, TimePoint
from spikedeblur.cli.whole import WholeBatch
from spikedeblur.errors import UsageError
from spikedeblur.io.pipes import is_pipe
from spikedeblur.restoration.methods import METHODS
from spikedeblur.vocabulary import COLOUR_MATRICES, NETWORK, SLOWMO_TIMINGS

if TYPE_CHECKING:
    from spikedeblur.io.spikes.settings import RecordingSettings
    from spikedeblur.output.options import OutputOptions
    from spikedeblur.quantities import Region


@click.command("deblur", cls=Command)
@click.argument("videos", nargs=-1, metavar="VIDEO...", type=click.Path(path_type=Path))
@click.option(
    "--spikes",
    type=click.Path(path_type=Path),
    metavar="S.dat|X.tif",
    multiple=True,
    help="The spike camera's recording, or voxel grids made of it. For several videos: "
    "once for each, a folder of STEM.dat, or a pattern such as DIR/{stem}.dat. "
    "[default: STEM.dat beside the video, if it exists]",
)
@spike_options
@transfer_option
@parallax_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What to write; its folder is created. - is standard output (Matroska; or "
    "-.y4m).  [default: "
    "INPUT_deblurred, beside the input; of a folder of images a folder]",
)
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write INPUT_deblurred into this folder instead.",
)
@overwrite_option
@click.option("-n", "--no-clobber", is_flag=True, help="Do nothing if the output exists.")
@weights_option
@click.option(
    "--method",
    type=click.Choice([NETWORK, *METHODS]),
    default=NETWORK,
    show_default=True,
    help=f"{NETWORK} is the network; the others need no weights: "
    + "; ".join(f"{name} {method.summary}" for name, method in METHODS.items())
    + ".",
)
@compute_options
@click.option(
    "--window",
    type=click.IntRange(min=1),
    metavar="T",
    help="Frames the network sees at once.  [default: as it was trained, 5]",
)
@click.option(
    "--window-stride",
    type=click.IntRange(min=1),
    metavar="N",
    help="Frames from one window to the next.  [default: the window, 5]",
)
@click.option(
    "--tile",
    type=TILE,
    default="auto",
    show_default=True,
    help="Side of the tiles in pixels; auto chooses by free memory.",
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    metavar="N",
    help="Pixels that neighbouring tiles share.  [default: a quarter, at most 64]",
)
@output_options
@click.option(
    "--fps",
    "frame_rate",
    type=HERTZ,
    metavar="F",
    help="Frames per second of an image sequence.  [default: 25]",
)
@click.option("--start", type=TIME, help="Begin here: seconds, HH:MM:SS.mmm or a frame (120f).")
@click.option("--end", type=TIME, help="End before this time.")
@click.option(
    "--region",
    type=REGION,
    help="Write this part of the frame alone: its size, and its left upper corner in "
    "the picture as it is stored, before rotation. The spikes follow.",
)
@strength_option
@headroom_option
@click.option(
    "--instants",
    type=INSTANT_LIST,
    help="Restore these instants alone, seconds on the video's clock, each within an exposure: a "
    "video with their times and no sound, or numbered images.",
)
@click.option(
    "--slowmo",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Sharp frames for each blurry one: the middles of N equal parts of its "
    "exposure, shown evenly over its interval. What happens while the shutter is "
    "closed is not seen: below an exposure of about 0.8x, motion goes in steps.",
)
@click.option(
    "--slowmo-timing",
    type=click.Choice(SLOWMO_TIMINGS),
    default="keep",
    show_default=True,
    help="keep: N times the frame rate, with the sound as it was. stretch: the same "
    "frame rate, N times as long, without sound.",
)
@click.option(
    "--colorspace",
    type=click.Choice([name for name, _ in COLOUR_MATRICES]),
    help="The matrix the video's colours were made with, in place of its tag's; tags are "
    "kept.  [default: the tag's, else bt709 from 720 rows up, bt601 below]",
)
@click.option("--strict", is_flag=True, help="Any damage in the video is an error.")
@job_options
@json_option("JSON lines on stdout; the last one sums up.")
@progress_option
@click.pass_context
def command(
    context: click.Context,
    *,
    videos: tuple[Path, ...],
    spikes: tuple[Path, ...],
    spike_options: RecordingSettings,
    output: Path | None,
    output_dir: Path | None,
    output_options: OutputOptions,
    no_clobber: bool,
    weights: str | None,
    method: str,
    device: str,
    precision: str,
    compiled: bool,
    threads: int | None,
    window: int | None,
    window_stride: int | None,
    tile: int | None,
    overlap: int | None,
    frame_rate: Fraction | None,
    start: TimePoint | None,
    end: TimePoint | None,
    region: Region | None,
    strength: float,
    headroom: float,
    instants: list[Fraction] | None,
    slowmo: int,
    slowmo_timing: str,
    colorspace: str | None,
    strict: bool,
    job: JobOptions,
    as_json: bool,
    progress: str,
) -> ExitStatus:
    """Deblur a video with the spikes of the same scene.

    Every frame keeps its time. Sound, subtitles, metadata, rotation and colour tags are kept.
    Several videos are done one after the other; one that fails does not stop the others.
    VIDEO may be -, standard input, which is stored in a temporary file first.
    """
    if output_options.overwrite and no_clobber:
        raise UsageError("both --overwrite and --no-clobber are given - give one of them")
    if job.cluster is not None and (job.jobs > 1 or job.shard is not None):
        raise UsageError("--cluster divides the work by itself - leave --jobs and --shard out")
    console: Console = context.obj
    output, output_dir = meant_output(context, output, output_dir)
    shard = chosen_shard(console, job.shard)
    listed = read_list(job.video_list) if job.video_list is not None else []
    if not (videos or listed):
        raise UsageError("there is nothing to deblur - name videos, or a --list of some")
    if job.failures is not None:
        check_list(job.failures)
    compare = output_options.compare is not None
    jobs = plan_jobs(videos, spikes, output, output_dir, listed, compare)
    if len(jobs) == 1:
        check_paths(jobs[0])  # before weights are loaded
        if is_pipe(jobs[0].output):
            check_stdout(as_json or job.dry_run, output_options.compare)
    results = BatchResults(
        console, jobs, as_json=as_json, dry_run=job.dry_run, failures=job.failures
    )
    batch = WholeBatch([each.video for each in jobs])
    whole_display = partial(
        progress_display,
        progress,
        "done",
        quiet=console.quiet,
        json_lines=as_json,
        unit="videos",
        batch=batch,
        index=None,
    )
    if min(job.jobs, len(jobs)) > 1 and not job.dry_run:
        return AtOnce(context, jobs, results, whole_display(), min(job.jobs, len(jobs))).run()
    from spikedeblur.restoration.pipeline import Deblurrer

    build = partial(
        Deblurrer,
        weights,
        method=method,
        device=device,
        precision=precision,
        compiled=compiled,
        threads=threads,
        window=window,
        stride=window_stride,
        tile=tile,
        overlap=overlap,
        slowmo=slowmo,
        slowmo_timing=slowmo_timing,
        strength=strength,
        headroom=headroom,
    )
    deblurrer = build()
    if not spikes and not deblurrer.uses_spikes:
        jobs = [replace(each, spikes=None) for each in jobs]
    task = Task(
        deblurrer,
        spike_options,
        output_options,
        VideoPart(start, end, frame_rate, colorspace, region),
        instants=instants,
        shard=shard,
        job=job,
        strict=strict,
        no_clobber=no_clobber,
        as_json=as_json,
        progress=progress,
        batch=batch,
    )

    if job.cluster is not None and not job.dry_run:
        from spikedeblur.cli.cluster import OnCluster

        return OnCluster(console, task, jobs, results, whole_display(), build).run(job.cluster)

    def work(index: int, each: VideoJob) -> Outcome:
        with stdin_stored(each) as stored:
            return deblur_item(console, task, index, stored)

    return run_jobs(console, jobs, work, results)
