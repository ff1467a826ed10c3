"""spikedeblur preview: one frame by each method, and how long all of them would take."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikedeblur.cli.batch import spikes_beside
from spikedeblur.cli.command import Command
from spikedeblur.cli.completion import method_lists
from spikedeblur.cli.console import Console, printable
from spikedeblur.cli.displays import progress_display
from spikedeblur.cli.light_options import transfer_option
from spikedeblur.cli.options import (
    device_option,
    json_option,
    overwrite_option,
    parallax_option,
    progress_option,
    spike_options,
    threads_option,
    weights_option,
)
from spikedeblur.cli.values import HERTZ, REGION, TIME, TimePoint
from spikedeblur.errors import UsageError, warn_of

if TYPE_CHECKING:
    from spikedeblur.io.spikes.settings import RecordingSettings
    from spikedeblur.quantities import Region
    from spikedeblur.report.preview import MethodPreview


@click.command("preview", cls=Command)
@click.argument("video", type=click.Path(path_type=Path))
@click.option(
    "--spikes",
    type=click.Path(path_type=Path),
    metavar="S.dat|X.tif",
    help="The spike camera's recording, or voxel grids made of it.  "
    "[default: STEM.dat beside the video, if it exists]",
)
@spike_options
@transfer_option
@parallax_option
@click.option(
    "--at",
    type=TIME,
    help="Show the frame of this time: seconds, HH:MM:SS.mmm or a frame (120f).  "
    "[default: the one in whose exposure most moves]",
)
@click.option("--region", type=REGION, help="Show this part of the frame alone.")
@click.option(
    "--methods",
    metavar="M,...",
    shell_complete=method_lists,
    default="sdm,net",
    show_default=True,
    help="As in benchmark: methods, weights files, and finished videos of the same frames.",
)
@weights_option
@device_option
@threads_option
@progress_option
@click.option(
    "--fps",
    "frame_rate",
    type=HERTZ,
    metavar="F",
    help="Frames per second of an image sequence.  [default: 25]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT.png",
    help="Picture to write, PNG or TIFF.  [default: VIDEO_preview.png, beside the video]",
)
@overwrite_option
@json_option("The figures as one line of JSON on stdout.")
@click.pass_obj
def command(
    console: Console,
    *,
    video: Path,
    spikes: Path | None,
    spike_options: RecordingSettings,
    at: TimePoint | None,
    region: Region | None,
    methods: str,
    weights: str | None,
    device: str,
    threads: int | None,
    frame_rate: Fraction | None,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
    progress: str,
) -> None:
    """Show one frame by each method, side by side.

    Printed is how long each would take for all of the video on this machine.
    """
    from spikedeblur.io.atomic import check_folder, check_output, make_folder
    from spikedeblur.io.image_names import IMAGE_SUFFIXES
    from spikedeblur.io.video import open_video, unused_rate
    from spikedeblur.report.preview import preview_video

    output = output or video.parent / f"{video.stem.replace('%', '')}_preview.png"
    if output.suffix.lower() not in IMAGE_SUFFIXES or "%" in output.name:
        raise UsageError(f"not a picture ({output}) - name a .png or a .tif")
    if output.parent.is_dir():
        check_output(output, overwrite)
    else:
        check_folder(output.parent)
    warn_of(unused_rate(video, frame_rate))
    moment = None
    if at is not None:
        moment = at.seconds
        if at.frame is not None:
            with open_video(video, rate=frame_rate) as reader:
                moment = next(iter(reader)).time + at.frame / reader.info.average_rate
    with progress_display(progress, "shown", quiet=console.quiet, unit="methods") as display:
        found = preview_video(
            video,
            spikes or spikes_beside(video),
            methods=methods,
            weights=weights,
            at=moment,
            region=region,
            rate=frame_rate,
            spike_options=spike_options,
            device=device,
            threads=threads,
            progress=display.advance_to,
        )
    make_folder(output.parent)
    found.write(output, overwrite)
    console.note(f"wrote {output}: the frame at {float(found.time_s):.3f} s")
    if as_json:
        console.json({"event": "done", "output": str(output), **found.as_json()})
        return
    for each in found.methods:
        if each.seconds_per_frame is not None:
            console.data(printable(f"{each.method:10}{_costs(each, found.frames)}"))


def _costs(found: MethodPreview, frames: int | None) -> str:
    speed = f"{found.seconds_per_frame:.3g} s a frame as shown"
    if found.seconds_estimate is None:
        return speed
    return f"{speed}, about {_duration(found.seconds_estimate)} for all {frames} frames"


def _duration(seconds: float) -> str:
    """So long as a person would say it."""
    if seconds < 100:
        return f"{seconds:.2g} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
