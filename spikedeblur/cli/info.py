"""spikedeblur info: what a file is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikedeblur.cli.console import Console, printable
from spikedeblur.cli.options import spike_options
from spikedeblur.cli.status import ExitStatus
from spikedeblur.errors import SpikedeblurError

if TYPE_CHECKING:
    from spikedeblur.io.spike_source import SpikeOptions


@click.command("info")
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(path_type=Path))
@spike_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@click.pass_obj
def command(console: Console, *, files: tuple[Path, ...], spike_options: SpikeOptions,
            as_json: bool) -> ExitStatus:
    """Tell what a file is: video, spikes, voxel grids or weights."""
    from spikedeblur.inspection import inspect

    status = ExitStatus.OK
    for path in files:
        try:
            found = inspect(path, spike_options)
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
    return status


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "none"
    return "unknown" if value is None else str(value)
