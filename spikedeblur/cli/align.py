"""spikedeblur align: clock offset, exposure and homography, estimated from content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikedeblur.cli.command import Command
from spikedeblur.cli.console import Console
from spikedeblur.cli.options import (
    json_option,
    overwrite_option,
    progress_option,
    spike_options,
    threads_option,
)
from spikedeblur.cli.progress import progress_display
from spikedeblur.cli.values import Parsed, parse_pair
from spikedeblur.errors import InputError, UsageError
from spikedeblur.machine.threads import limit_threads
from spikedeblur.quantities import parse_exposure, parse_seconds

if TYPE_CHECKING:
    from spikedeblur.alignment import Alignment
    from spikedeblur.io.spikes.settings import RecordingSettings


def homography_from_text(text: str) -> tuple[float, ...]:
    """Nine numbers, separated by commas or spaces. Raises `UsageError`."""
    try:
        numbers = tuple(float(part) for part in re.split(r"[,\s]+", text.strip(" []\t")))
    except ValueError:
        numbers = ()
    if len(numbers) != 9:
        raise UsageError(
            f"not a homography ({text[:60]!r}) - give nine numbers, row by row, separated by commas"
        )
    return numbers


FIXABLE = {"offset": parse_seconds, "exposure": parse_exposure, "homography": homography_from_text}


def parse_fix(text: str) -> tuple[str, Any]:
    """`exposure=0.5x`, `offset=-0.01`, `homography=1,0,...` -> (name, value). Raises UsageError."""
    name, value = parse_pair(text)
    if name not in FIXABLE:
        raise UsageError(f"{name!r} cannot be fixed - give {', '.join(FIXABLE)}")
    return name, FIXABLE[name](value)


@click.command("align", cls=Command)
@click.argument("video", type=click.Path(path_type=Path))
@click.option(
    "--spikes",
    type=click.Path(path_type=Path),
    required=True,
    metavar="S.dat",
    help="The spike camera's recording.",
)
@spike_options
@click.option(
    "--fix",
    "fixed",
    type=Parsed("WHAT=VALUE", parse_fix),
    multiple=True,
    help="What is known and not to be estimated: exposure=S, offset=S or homography= and "
    "nine numbers with commas; repeatable.",
)
@click.option(
    "--drift", is_flag=True, help="Estimate how the clocks drift apart, too: for long recordings."
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
    help="Write a frame in red with its spikes over it in blue-green: grey where both agree.",
)
@threads_option
@json_option("Findings as one line of JSON on stdout.")
@progress_option
@overwrite_option
@click.pass_obj
def command(
    console: Console,
    *,
    video: Path,
    spikes: Path,
    spike_options: RecordingSettings,
    fixed: tuple[tuple[str, Any], ...],
    output: Path | None,
    preview: Path | None,
    as_json: bool,
    overwrite: bool,
    drift: bool,
    threads: int | None,
    progress: str,
) -> None:
    """Estimate how both cameras' clocks and planes lie to each other.

    What both cameras saw decides, so there has to be texture and motion. Nothing is written
    where it cannot tell. The search begins at --offset and --exposure, or those of the sidecar.
    """
    limit_threads(threads)
    from spikedeblur.alignment import Known, align
    from spikedeblur.io.spikes.sidecar import sidecar_path, write_sidecar

    output = output or sidecar_path(spikes)
    _check_outputs(spikes, output, preview, overwrite)
    given = dict(fixed)
    with progress_display(progress, "aligned", quiet=console.quiet, unit="steps") as display:
        found = align(
            video,
            spikes,
            spike_options,
            Known(given.get("offset"), given.get("exposure"), given.get("homography")),
            drift,
            progress=display.advance_to,
        )
    write_sidecar(output, found.sidecar(), overwrite=overwrite)
    if preview is not None:
        from spikedeblur.alignment.overlay import write_overlay

        write_overlay(preview, video, found, overwrite=overwrite)
    if as_json:
        console.json({"event": "done", "output": str(output), **_numbers(found)})
    else:
        for line in _lines(found):
            console.data(line)
    console.note(f"wrote {output}")


def _check_outputs(spikes: Path, output: Path, preview: Path | None, overwrite: bool) -> None:
    """Refuse before a search what could not be written after it."""
    from spikedeblur.io.atomic import check_output
    from spikedeblur.io.images import is_image_sequence

    if not spikes.exists():
        raise InputError(f"spike file not found ({spikes}) - check the path")
    check_output(output, overwrite)
    if preview is not None:
        check_output(preview, overwrite)
        if not is_image_sequence(preview):
            raise UsageError(f"a picture is PNG or TIFF ({preview} seen) - give --preview X.png")


def _numbers(found: Alignment) -> dict[str, Any]:
    errors, interval_s = found.errors, found.interval_s
    return {
        "offset_s": round(found.offset_s, 7),
        "offset_error_s": round(errors.offset * interval_s, 7),
        "exposure_s": round(found.exposure_s, 7),
        "exposure_error_s": round(errors.exposure * interval_s, 7),
        "homography": list(found.homography),
        "homography_error_px": round(errors.homography, 3),
        "rate_hz": round(found.rate_hz, 6),
        "drift": round(found.drift, 9),
        "correlation": round(found.correlation, 5),
        "confidence": round(errors.confidence, 4),
        "frames": found.frames,
    }


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
    return [
        *lines,
        f"likeness    {found.correlation:.4f} in {found.frames} frames",
        f"confidence  {errors.confidence:.3f}",
    ]
