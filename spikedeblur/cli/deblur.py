"""spikedeblur deblur: a blurry video and its spikes become a sharp video."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikedeblur.cli.batch import PIPE, Job, Outcome, plan_jobs, run_jobs
from spikedeblur.cli.console import Console
from spikedeblur.cli.kept import kept
from spikedeblur.cli.options import compute_options, spike_options
from spikedeblur.cli.progress import KINDS, progress_display
from spikedeblur.cli.status import ExitStatus
from spikedeblur.cli.values import HERTZ, PAIR, TILE, TIME, TimePoint
from spikedeblur.errors import InputError, UsageError
from spikedeblur.vocabulary import COLOUR_MATRICES, COMPARISONS, SEGMENT_FRAMES, SLOWMO_TIMINGS

if TYPE_CHECKING:
    from spikedeblur.output.shards import Shard
    from spikedeblur.restoration.pipeline import Deblurrer


@click.command("deblur")
@click.argument(
    "videos", nargs=-1, required=True, metavar="VIDEO...", type=click.Path(path_type=Path)
)
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
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What to write; - is standard output (Matroska).  [default: INPUT_deblurred, "
    "beside the input]",
)
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write INPUT_deblurred into this folder instead; it is created.",
)
@click.option("-y", "--overwrite", is_flag=True, help="Replace an output that exists.")
@click.option("-n", "--no-clobber", is_flag=True, help="Do nothing if the output exists.")
@click.option(
    "--weights",
    metavar="FILE|NAME",
    help="Weights of the network: a run's, or an official VRT checkpoint.  "
    "[default: those shipped with the program]",
)
@click.option(
    "--method",
    type=click.Choice(["net", "sdm", "tfp", "tfi"]),
    default="net",
    show_default=True,
    help="net is the network; the others need no weights: sdm sharpens the video by its "
    "spikes, tfp and tfi make grey pictures of the spikes alone.",
)
@compute_options
@click.option(
    "--window",
    type=click.IntRange(min=1),
    metavar="T",
    help="Frames the network sees at once.  [default: as it was trained]",
)
@click.option(
    "--window-stride",
    type=click.IntRange(min=1),
    metavar="N",
    help="Frames from one window to the next.  [default: 3 of 5]",
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
@click.option(
    "--codec",
    metavar="NAME",
    help="Video encoder, such as libx264, libx265 or ffv1 (lossless).  "
    "[default: as fits the input]",
)
@click.option(
    "--crf",
    type=click.FloatRange(min=0),
    metavar="N",
    help="Quality on the encoder's own scale; lower is better.  [default: visually lossless]",
)
@click.option(
    "--preset",
    metavar="P",
    help="The encoder's trade of speed for size, such as fast.  [default: medium]",
)
@click.option(
    "--pix-fmt",
    default="auto",
    show_default=True,
    metavar="auto|FMT",
    help="Pixel format; auto keeps the input's depth and chroma.",
)
@click.option(
    "-e",
    "--encoder-option",
    "encoder_options",
    type=PAIR,
    multiple=True,
    help="Any further option of the encoder, such as tune=grain; repeatable.",
)
@click.option("--no-audio", is_flag=True, help="Leave sound out.")
@click.option("--no-subtitles", is_flag=True, help="Leave subtitles out.")
@click.option(
    "--frame-rate",
    type=HERTZ,
    metavar="F",
    help="Frames per second of an image sequence.  [default: 25]",
)
@click.option("--start", type=TIME, help="Begin here: seconds, HH:MM:SS.mmm or a frame (120f).")
@click.option("--end", type=TIME, help="End before this time.")
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
    "--compare",
    type=click.Choice(COMPARISONS),
    help="Also write OUTPUT_compare with blurry and sharp in one picture.",
)
@click.option(
    "--colorspace",
    type=click.Choice([name for name, _ in COLOUR_MATRICES]),
    help="The matrix the video's colours were made with, whatever its tag says; tags are "
    "kept.  [default: the tag's, else bt709 from 720 rows up, bt601 below]",
)
@click.option("--strict", is_flag=True, help="Any damage in the video is an error.")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on where an interrupted run of the same command ended; begin if there was "
    "none, do nothing if it is finished.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Do one of N parts of the work; the last one done joins them.  [default: as "
    "torchrun or a Slurm array says, else 1/1]",
)
@click.option(
    "--segment",
    type=click.IntRange(min=1),
    default=SEGMENT_FRAMES,
    show_default=True,
    metavar="N",
    help="Frames of a segment: what a kill costs at most.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout; the last one sums up.")
@click.option(
    "--progress",
    type=click.Choice(KINDS),
    default="auto",
    show_default=True,
    help="auto: a bar on a terminal, lines elsewhere.",
)
@click.pass_obj
def command(
    console: Console,
    *,
    videos: tuple[Path, ...],
    spikes: tuple[Path, ...],
    output: Path | None,
    output_dir: Path | None,
    overwrite: bool,
    no_clobber: bool,
    shard: str | None,
    as_json: bool,
    **settings: Any,
) -> ExitStatus:
    """Deblur a video with the spikes of the same scene.

    Every frame keeps its time. Sound, subtitles, metadata, rotation and colour tags are kept.
    Several videos are done one after the other; one that fails does not stop the others.
    VIDEO may be -, standard input, which is stored in a temporary file first.
    """
    if overwrite and no_clobber:
        raise UsageError("both --overwrite and --no-clobber are given - give one of them")
    jobs = plan_jobs(videos, spikes, output, output_dir)
    if len(jobs) == 1:
        _check_paths(jobs[0])  # before weights are loaded
        if jobs[0].output == PIPE:
            _check_stdout(as_json or settings["dry_run"], settings["compare"])
    if output_dir is not None and not settings["dry_run"]:
        from spikedeblur.io.atomic import make_folder

        make_folder(output_dir)
    deblurrer = _deblurrer(settings)
    if not spikes and not deblurrer.uses_spikes:
        jobs = [replace(job, spikes=None) for job in jobs]
    work = partial(
        _deblur,
        console,
        deblurrer,
        shard=_shard(console, shard),
        overwrite=overwrite,
        no_clobber=no_clobber,
        as_json=as_json,
        settings=settings,
    )
    if len(jobs) == 1:
        with _stdin_stored(jobs[0]) as job:
            return work(job, event="done").status
    return run_jobs(console, jobs, partial(work, event="video"), as_json)


def _deblur(
    console: Console,
    deblurrer: Deblurrer,
    job: Job,
    *,
    event: str,
    shard: Shard,
    overwrite: bool,
    no_clobber: bool,
    as_json: bool,
    settings: dict[str, Any],
) -> Outcome:
    """Deblur one video; `event` names the JSON object that says how it went."""
    _check_paths(job)
    resume = settings["resume"] or shard.count > 1
    if (no_clobber and job.output.exists()) or (
        resume and not overwrite and _is_finished(job.output, tidy=True)
    ):
        console.note(f"{job.output} exists: nothing to do")
        return Outcome(ExitStatus.OK)
    reading = {
        **_reading(job.video, settings["start"], settings["end"], settings["frame_rate"]),
        "colorspace": settings["colorspace"],
    }
    if settings["dry_run"]:
        from spikedeblur.cli.plan import tell_plan

        tell_plan(console, deblurrer, job, settings["spike_options"], reading, as_json)
        return Outcome(ExitStatus.OK)
    warned = console.warnings
    with (
        progress_display(
            settings["progress"], "deblurred", quiet=console.quiet, json_lines=as_json
        ) as display,
        kept(console, job.output, display),
    ):
        tally = deblurrer.run(
            job.video,
            job.spikes,
            job.output,
            **reading,
            spike_options=settings["spike_options"],
            strict=settings["strict"],
            on_frame=display.advance_to,
            overwrite=overwrite,
            resume=resume,
            shard=shard,
            segment=settings["segment"],
            compare=settings["compare"],
            codec=settings["codec"],
            crf=settings["crf"],
            preset=settings["preset"],
            pix_fmt=settings["pix_fmt"],
            encoder_options=dict(settings["encoder_options"]),
            audio=not settings["no_audio"],
            subtitles=not settings["no_subtitles"],
        )
    warnings = console.warnings - warned
    joined = shard.count == 1 or _is_finished(job.output)
    console.note(
        f"wrote {job.output if joined else f'shard {shard} of {job.output}'}: "
        f"{tally.written} frames in {display.seconds:.1f} s, "
        f"{display.fps:.2f} fps, {warnings} warning{'' if warnings == 1 else 's'}"
    )
    if as_json:
        from spikedeblur.machine.memory import peak_rss_mb

        console.json(
            {
                "event": event,
                "frames": tally.written,
                "fps": round(display.fps, 3),
                "output": str(job.output),
                "joined": joined,
                "warnings": warnings,
                "peak_rss_mb": round(peak_rss_mb(), 1),
                "partial": tally.partial,
                "uncovered": tally.uncovered,
                "not_finite": tally.not_finite,
                "damaged": tally.damaged,
            }
        )
    status = ExitStatus.DAMAGED_INPUT if tally.input_was_damaged else ExitStatus.OK
    return Outcome(status, tally.written)


def _shard(console: Console, given: str | None) -> Shard:
    """The part of the work to do: as given, else as the launcher of this process has it."""
    from spikedeblur.output.shards import Shard, shard_of_environment

    if given is not None:
        return Shard.parse(given)
    shard, launcher = shard_of_environment(os.environ)
    if launcher:
        console.note(f"shard {shard}, as {launcher} has it; --shard 1/1 does the whole video")
    return shard


def _is_finished(output: Path, tidy: bool = False) -> bool:
    """Whether nothing is left to do for `output`. tidy: remove what a kill may have left then."""
    from spikedeblur.output.parts import Parts, is_finished

    finished = is_finished(output)
    if finished and tidy:
        Parts(output).remove()
    return finished


def _check_paths(job: Job) -> None:
    """Refuse, before anything is loaded, what cannot end well."""
    video, spikes, output = job.video, job.spikes, job.output
    if "%" not in video.name and video != PIPE and not video.exists():
        raise InputError(f"there is no file {video} - check the name")
    if spikes is not None and not spikes.exists():
        raise InputError(f"there is no file {spikes} - check the name given to --spikes")
    for kind, path in (("input", video), ("spike file", spikes)):
        if path is None or PIPE in (path, output):
            continue
        if output.absolute() == path.absolute() or (
            output.exists() and path.exists() and output.samefile(path)
        ):
            raise UsageError(f"the output is the {kind} ({output}) - choose another -o")


def _check_stdout(as_json: bool, compare: str | None) -> None:
    """Refuse what would mix with the video on standard output."""
    for given, name in ((as_json, "--json or --dry-run"), (compare, "--compare")):
        if given:
            raise UsageError(
                f"the video goes to standard output (-o -, and {name}) - write it to a file"
            )
    if sys.stdout.isatty():
        raise UsageError("standard output is a terminal (-o -) - name a file, or pipe it on")


@contextmanager
def _stdin_stored(job: Job) -> Iterator[Job]:
    """The job with a file in place of standard input."""
    if job.video != PIPE:
        yield job
        return
    from spikedeblur.io.pipes import stored

    with stored(sys.stdin.buffer) as path:
        yield replace(job, video=path)


def _reading(
    video: Path, start: TimePoint | None, end: TimePoint | None, frame_rate: Fraction | None
) -> dict[str, Any]:
    """Keywords of `open_video`: which part, in seconds on the video's clock, at which rate."""
    clock = Fraction(1)
    if any(point is not None and point.frame is not None for point in (start, end)):
        from spikedeblur.io.video import open_video

        with open_video(video, rate=frame_rate) as reader:
            clock = reader.info.average_rate
    return {
        "start": None if start is None else start.on_clock(clock),
        "end": None if end is None else end.on_clock(clock),
        "rate": frame_rate,
    }


def _deblurrer(settings: dict[str, Any]) -> Deblurrer:
    from spikedeblur.restoration.pipeline import Deblurrer

    return Deblurrer(
        settings["weights"],
        method=settings["method"],
        device=settings["device"],
        precision=settings["precision"],
        compiled=settings["compiled"],
        threads=settings["threads"],
        window=settings["window"],
        stride=settings["window_stride"],
        tile=settings["tile"],
        overlap=settings["overlap"],
        slowmo=settings["slowmo"],
        slowmo_timing=settings["slowmo_timing"],
    )
