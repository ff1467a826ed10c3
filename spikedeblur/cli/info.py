"""spikedeblur info: what a file is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikedeblur.cli.command import Command
from spikedeblur.cli.console import Console, printable
from spikedeblur.cli.options import overwrite_option, spike_options
from spikedeblur.cli.status import ExitStatus
from spikedeblur.cli.terminal_picture import picture_lines, shows_colour
from spikedeblur.errors import SpikedeblurError, UsageError
from spikedeblur.vocabulary import PREVIEW_METHODS

if TYPE_CHECKING:
    from spikedeblur.io.spikes.settings import RecordingSettings


@click.command("info", cls=Command)
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@spike_options
@click.option(
    "--preview",
    type=click.Path(path_type=Path),
    metavar="OUT.png|OUT.mp4",
    help="Write what the spikes show: the middle of the recording as a picture, or all "
    "of it as film.",
)
@click.option(
    "--preview-method",
    type=click.Choice(PREVIEW_METHODS),
    default="tfp",
    show_default=True,
    help="tfp counts the spikes of 4 ms, tfi measures the interval between two.",
)
@click.option(
    "--picture/--no-picture",
    default=None,
    help="Show spikes as a small picture.  [default: on a terminal]",
)
@overwrite_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@click.pass_obj
def command(
    console: Console,
    *,
    files: tuple[Path, ...],
    spike_options: RecordingSettings,
    preview: Path | None,
    preview_method: str,
    picture: bool | None,
    overwrite: bool,
    as_json: bool,
) -> ExitStatus:
    """Tell what a file is: video, spikes, voxel grids or weights.

    For spikes of unknown size, it lists those that would fit and the one that the bits speak
    for. A folder of recordings is each of them, unless they are numbered parts of one. FILE may be
    the name of weights that come with the program, such as small.
    """
    from spikedeblur.inspection.recordings import recordings_of

    if picture is None:
        picture = sys.stdout.isatty()
    status = ExitStatus.OK
    wanted: list[Path] = []
    for path in files:
        try:
            wanted += recordings_of(path)
        except SpikedeblurError as error:
            console.error(str(error), error)
            status = ExitStatus.FAILED
    if preview is not None and len(wanted) > 1:
        raise UsageError(f"one preview for {len(wanted)} files ({preview}) - give one file")
    for path in wanted:
        try:
            found, lines = _look(
                path, spike_options, preview, preview_method, overwrite, picture and not as_json
            )
        except SpikedeblurError as error:
            console.error(str(error), error)
            status = ExitStatus.FAILED
            continue
        if as_json:
            console.json({"file": str(path), **found})
            continue
        console.data(printable(f"{path}: {found.pop('kind')}"))
        for name, value in found.items():
            console.data(printable(f"  {name.replace('_', ' '):22}{_text(value)}"))
        for line in lines:
            console.data(line)
    return status


def _look(
    path: Path,
    options: RecordingSettings,
    preview: Path | None,
    method: str,
    overwrite: bool,
    picture: bool,
) -> tuple[dict[str, Any], list[str]]:
    """Describe a file, with its picture in lines; write the preview."""
    from spikedeblur.inspection.files import inspect
    from spikedeblur.inspection.recordings import is_recording, open_recording

    if not path.exists() or not is_recording(path):
        if preview is not None:
            raise UsageError(f"only spikes have a preview ({path} given) - give a recording")
        return inspect(path, options), []
    with open_recording(path, options) as recording:
        if preview is not None:
            recording.write_preview(preview, method, overwrite)
        shown = recording.picture() if picture else None
        lines = [] if shown is None else list(picture_lines(shown, colour=shows_colour()))
        return recording.describe(), lines


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "none"
    return "unknown" if value is None else str(value)
