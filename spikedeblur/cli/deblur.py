"""spikedeblur deblur: a blurry video and its spikes become a sharp video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikedeblur.cli.console import Console
from spikedeblur.cli.options import compute_options, spike_options
from spikedeblur.cli.progress import KINDS, progress_display
from spikedeblur.cli.status import ExitStatus
from spikedeblur.cli.values import HERTZ, PAIR, TILE, TIME, TimePoint
from spikedeblur.errors import InputError, UsageError

if TYPE_CHECKING:
    from spikedeblur.io.spike_source import SpikeOptions
    from spikedeblur.pipeline import Deblurrer


@click.command("deblur")
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO", type=click.Path(path_type=Path))
@click.option("--spikes", type=click.Path(path_type=Path), metavar="S.dat|X.tif",
              help="The spike camera's recording, or voxel grids made of it. May be left out with "
                   "weights that use none.")
@spike_options
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="[default: INPUT_deblurred beside the input]")
@click.option("-y", "--overwrite", is_flag=True, help="Replace an output that exists.")
@click.option("-n", "--no-clobber", is_flag=True, help="Do nothing if the output exists.")
@click.option("--weights", metavar="FILE|NAME", help="[default: those shipped with the program]")
@click.option("--method", type=click.Choice(["net", "sdm", "tfp", "tfi"]), default="net",
              show_default=True, help="The network, or a method that needs no weights.")
@compute_options
@click.option("--window", type=click.IntRange(min=1), metavar="T",
              help="Frames the network sees at once.  [default: as it was trained]")
@click.option("--window-stride", type=click.IntRange(min=1), metavar="N",
              help="Frames from one window to the next.  [default: 3 of 5]")
@click.option("--tile", type=TILE, default="auto", show_default=True,
              help="Side of the tiles in pixels; auto chooses by free memory.")
@click.option("--overlap", type=click.IntRange(min=0), metavar="N",
              help="Pixels that neighbouring tiles share.  [default: a quarter, at most 64]")
@click.option("--codec", metavar="NAME", help="Video encoder.  [default: as fits the input]")
@click.option("--crf", type=click.FloatRange(min=0), metavar="N", help="Quality; lower is better.")
@click.option("--preset", metavar="P", help="The encoder's trade of speed for size.")
@click.option("--pix-fmt", default="auto", show_default=True, metavar="auto|FMT",
              help="Pixel format; auto keeps the input's depth and chroma.")
@click.option("-e", "--encoder-option", "encoder_options", type=PAIR, multiple=True,
              help="Any further option of the encoder.")
@click.option("--no-audio", is_flag=True, help="Leave sound out.")
@click.option("--no-subtitles", is_flag=True, help="Leave subtitles out.")
@click.option("--frame-rate", type=HERTZ, metavar="F",
              help="Frames per second of an image sequence.  [default: 25]")
@click.option("--start", type=TIME, help="Begin here: seconds, HH:MM:SS.mmm or a frame (120f).")
@click.option("--end", type=TIME, help="End before this time.")
@click.option("--slowmo", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
              help="Sharp frames per blurry frame, spread over its exposure.")
@click.option("--compare", type=click.Choice(["side", "split"]),
              help="Also write OUTPUT_compare with blurry and sharp in one picture.")
@click.option("--strict", is_flag=True, help="Any damage in the video is an error.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run ended.")
@click.option("--shard", metavar="I/N", help="Process one of N parts of the video.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
@click.option("--progress", type=click.Choice(KINDS), default="auto", show_default=True,
              help="auto: a bar on a terminal, lines elsewhere.")
@click.pass_obj
def command(console: Console, *, videos: tuple[Path, ...], spikes: Path | None,
            spike_options: SpikeOptions, output: Path | None, overwrite: bool, no_clobber: bool,
            frame_rate: Fraction | None, start: TimePoint | None, end: TimePoint | None,
            strict: bool, resume: bool, shard: str | None, dry_run: bool, as_json: bool,
            progress: str, **settings: Any) -> ExitStatus:
    """Deblur VIDEO with the spikes of the same scene.

    Every frame keeps its time; sound, subtitles, metadata, rotation and colour tags are kept.
    """
    _refuse_unavailable(resume, shard, videos)
    video = videos[0]
    output = output or video.with_name(f"{video.stem}_deblurred{video.suffix}")
    _check_paths(video, spikes, output)
    if overwrite and no_clobber:
        raise UsageError("both --overwrite and --no-clobber are given - give one of them")
    if no_clobber and output.exists():
        console.note(f"{output} exists: nothing to do")
        return ExitStatus.OK
    reading = _reading(video, start, end, frame_rate)
    deblurrer = _deblurrer(settings)
    if dry_run:
        from spikedeblur.cli.plan import tell_plan

        tell_plan(console, deblurrer, video, spikes, spike_options, output, reading, as_json)
        return ExitStatus.OK
    with progress_display(progress, "deblurred", quiet=console.quiet,
                          json_lines=as_json) as display:
        tally = deblurrer.run(
            video, spikes, output, **reading, spike_options=spike_options, strict=strict,
            on_frame=display.advance_to, overwrite=overwrite,
            compare=settings["compare"], codec=settings["codec"], crf=settings["crf"],
            preset=settings["preset"], pix_fmt=settings["pix_fmt"],
            encoder_options=dict(settings["encoder_options"]), audio=not settings["no_audio"],
            subtitles=not settings["no_subtitles"])
    plural = "" if console.warnings == 1 else "s"
    console.note(f"wrote {output}: {tally.written} frames in {display.seconds:.1f} s, "
                 f"{display.fps:.2f} fps, {console.warnings} warning{plural}")
    if as_json:
        from spikedeblur.memory import peak_rss_mb

        console.json({"event": "done", "frames": tally.written, "fps": round(display.fps, 3),
                      "output": str(output), "warnings": console.warnings,
                      "peak_rss_mb": round(peak_rss_mb(), 1), "partial": tally.partial,
                      "uncovered": tally.uncovered, "not_finite": tally.not_finite,
                      "damaged": tally.damaged})
    return ExitStatus.DAMAGED_INPUT if tally.input_was_damaged else ExitStatus.OK


def _refuse_unavailable(resume: bool, shard: str | None, videos: tuple[Path, ...]) -> None:
    for given, name in ((resume, "--resume"), (shard, "--shard"),
                        (len(videos) > 1, "several videos in one call")):
        if given:
            raise UsageError(f"{name} is not available yet - run one whole video at a time, or "
                             "parts of it by --start and --end")


def _check_paths(video: Path, spikes: Path | None, output: Path) -> None:
    """Refuse, before anything is loaded, what cannot end well."""
    if "%" not in video.name and not video.exists():
        raise InputError(f"there is no file {video} - check the name")
    if spikes is not None and not spikes.exists():
        raise InputError(f"there is no file {spikes} - check the name given to --spikes")
    for kind, path in (("input", video), ("spike file", spikes)):
        if (path is not None and output.absolute() == path.absolute()) or (
                path is not None and output.exists() and path.exists() and output.samefile(path)):
            raise UsageError(f"the output is the {kind} ({output}) - choose another -o")


def _reading(video: Path, start: TimePoint | None, end: TimePoint | None,
             frame_rate: Fraction | None) -> dict[str, Any]:
    """Keywords of `open_video`: which part, in seconds on the video's clock, at which rate."""
    clock = Fraction(1)
    if any(point is not None and point.frame is not None for point in (start, end)):
        from spikedeblur.io.video import open_video

        with open_video(video, rate=frame_rate) as reader:
            clock = reader.info.average_rate
    return {"start": None if start is None else start.on_clock(clock),
            "end": None if end is None else end.on_clock(clock), "rate": frame_rate}


def _deblurrer(settings: dict[str, Any]) -> Deblurrer:
    from spikedeblur.pipeline import Deblurrer

    return Deblurrer(settings["weights"], method=settings["method"], device=settings["device"],
                     precision=settings["precision"], threads=settings["threads"],
                     window=settings["window"], stride=settings["window_stride"],
                     tile=settings["tile"], overlap=settings["overlap"],
                     slowmo=settings["slowmo"])
