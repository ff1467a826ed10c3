"""spikedeblur align: clock offset, exposure and homography, estimated from content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikedeblur.cli.align_plan import RigRecording, check_outputs, paired_recordings, tell_plan
from spikedeblur.cli.command import Command
from spikedeblur.cli.console import Console, printable
from spikedeblur.cli.displays import progress_display
from spikedeblur.cli.light_options import transfer_option
from spikedeblur.cli.options import (
    json_option,
    overwrite_option,
    progress_option,
    spike_options,
    threads_option,
)
from spikedeblur.cli.status import ExitStatus
from spikedeblur.cli.values import Parsed, parse_pair
from spikedeblur.errors import SpikedeblurError, UsageError
from spikedeblur.machine.threads import limit_threads
from spikedeblur.quantities import parse_exposure, parse_matrix, parse_seconds

if TYPE_CHECKING:
    from spikedeblur.alignment import Alignment
    from spikedeblur.io.spikes.settings import RecordingSettings


FIXABLE = {"offset": parse_seconds, "exposure": parse_exposure, "homography": parse_matrix}


def parse_fix(text: str) -> tuple[str, Any]:
    """`exposure=0.5x`, `offset=-0.01`, `homography=1,0,...` -> (name, value). Raises UsageError."""
    name, value = parse_pair(text)
    if name not in FIXABLE:
        raise UsageError(f"{name!r} cannot be fixed - give {', '.join(FIXABLE)}")
    return name, FIXABLE[name](value)


@click.command("align", cls=Command)
@click.argument(
    "videos", nargs=-1, required=True, metavar="VIDEO...", type=click.Path(path_type=Path)
)
@click.option(
    "--spikes",
    type=click.Path(path_type=Path),
    required=True,
    multiple=True,
    metavar="S.dat|DIR",
    help="The spike camera's recording. For several videos of one rig: once for each, a folder of "
    "STEM.dat, or a pattern such as DIR/{stem}.dat.",
)
@spike_options
@transfer_option
@click.option(
    "--fix",
    "fixed",
    type=Parsed("WHAT=VALUE", parse_fix),
    multiple=True,
    help="What is known and not to be estimated: exposure=S, offset=S or homography= and "
    "nine numbers with commas; repeatable.",
)
@click.option(
    "--drift",
    is_flag=True,
    help="Estimate how the clocks drift apart, too, also where one offset would do.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="S.toml",
    help="Sidecar to write.  [default: the one of the spikes]",
)
@click.option(
    "--preview",
    type=click.Path(path_type=Path),
    metavar="OVERLAY.png",
    help="Write a frame in red with its spikes over it in blue-green: grey where both agree. "
    "{stem} stands for that of the video.",
)
@threads_option
@click.option(
    "--dry-run", is_flag=True, help="Say what would be compared and what it would cost, no more."
)
@json_option("Findings as one line of JSON on stdout.")
@progress_option
@overwrite_option
@click.pass_obj
def command(
    console: Console,
    *,
    videos: tuple[Path, ...],
    spikes: tuple[Path, ...],
    spike_options: RecordingSettings,
    fixed: tuple[tuple[str, Any], ...],
    output: Path | None,
    preview: Path | None,
    dry_run: bool,
    as_json: bool,
    overwrite: bool,
    drift: bool,
    threads: int | None,
    progress: str,
) -> ExitStatus:
    """Estimate how both cameras' clocks and planes lie to each other.

    What both cameras saw decides, so there has to be texture and motion. Nothing is written
    where it cannot tell. The search begins at --offset and --exposure, or those of the sidecar.
    Several recordings of one rig get one homography, by what all of them say, and an offset each.
    """
    limit_threads(threads)
    recordings = paired_recordings(videos, spikes, output, preview)
    for each in recordings:
        check_outputs(each.spikes, each.output, each.preview, overwrite)
    from spikedeblur.alignment import Known, align_rig

    given = dict(fixed)
    known = Known(given.get("offset"), given.get("exposure"), given.get("homography"))
    if dry_run:
        tell_plan(console, recordings, spike_options, known, drift, as_json)
        return ExitStatus.OK
    with progress_display(progress, "aligned", quiet=console.quiet, unit="steps") as display:
        found = align_rig(
            [(each.video, each.spikes) for each in recordings],
            spike_options,
            known,
            drift,
            progress=display.advance_to,
            on_plan=lambda plan: console.note(plan.line()),
        )
    failed = []
    for index, (each, result) in enumerate(zip(recordings, found, strict=True)):
        if isinstance(result, SpikedeblurError):
            if len(recordings) == 1:
                raise result
            console.error(f"{each.video}: {result}", result)
            failed.append(str(each.video))
        else:
            _write(each, result, overwrite)
        _say(console, each, result, index if len(recordings) > 1 else None, as_json)
    if as_json and len(recordings) > 1:
        made = [str(each.output) for each in recordings if str(each.video) not in failed]
        console.json({"event": "done", "output": made, "failed": failed})
    if failed:
        console.error(
            f"{len(failed)} of {len(recordings)} recordings were not aligned "
            f"({', '.join(failed)}) - the reasons are above"
        )
    return ExitStatus.FAILED if failed else ExitStatus.OK


def _write(recording: RigRecording, found: Alignment, overwrite: bool) -> None:
    from spikedeblur.alignment.overlay import write_overlay
    from spikedeblur.io.spikes.sidecar import write_sidecar

    write_sidecar(recording.output, found.sidecar(), overwrite=overwrite)
    if recording.preview is not None:
        write_overlay(recording.preview, recording.video, found, overwrite=overwrite)


def _say(
    console: Console,
    recording: RigRecording,
    found: Alignment | SpikedeblurError,
    index: int | None,
    as_json: bool,
) -> None:
    """Say what was found of a recording; index: its number among several."""
    failed = isinstance(found, SpikedeblurError)
    if as_json:
        event: dict[str, Any] = {"event": "done", "output": str(recording.output)}
        if index is not None:
            event |= {"event": "recording", "index": index, "input": str(recording.video)}
            event |= {"status": "failed" if failed else "done"}
            event |= {"error": str(found) if isinstance(found, SpikedeblurError) else None}
        console.json(event if isinstance(found, SpikedeblurError) else {**event, **found.figures})
    elif not isinstance(found, SpikedeblurError):
        for line in ([f"{recording.video}"] if index is not None else []) + _lines(found):
            console.data(printable(line))
    if not failed:
        console.note(f"wrote {recording.output}")


def _lines(found: Alignment) -> list[str]:
    errors, milli = found.errors, 1000 * found.interval_s
    lines = [
        f"offset      {1000 * found.offset_s:.3f} ms +- {milli * errors.offset:.3f}",
        f"exposure    {1000 * found.exposure_s:.3f} ms +- {milli * errors.exposure:.3f}"
        f" ({found.exposure_s / found.interval_s:.3f} of the frame interval)",
        f"homography  {' '.join(f'{each:.6g}' for each in found.homography)}"
        f" (+- {errors.homography:.2f} pixels)",
    ]
    if found.drift:
        lines.append(
            f"drift       {1e6 * found.drift:.1f} millionths: the rate is {found.rate_hz:.3f} Hz"
        )
    lines += [
        f"jump        {1000 * jump_s:+.3f} ms at {time_s:.3f} s: "
        + (f"{round(jump_s * found.rate_hz)} planes" if jump_s > 0 else "frames of the video")
        + " are missing"
        for time_s, jump_s in found.jumps
    ]
    if found.readout_s is not None:
        lines.append(f"readout     {1000 * found.readout_s:.3f} ms from the first row to the last")
    if (lens := found.video_lens) is not None:
        lines.append(
            f"lens        k1 {lens.k1:.4f}, k2 {lens.k2:.4f} at fx = fy = {lens.fx:g} pixels"
        )
    return [
        *lines,
        f"likeness    {found.correlation:.4f} in {found.frames} frames",
        f"confidence  {errors.confidence:.3f}",
    ]
