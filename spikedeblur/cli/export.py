"""spikedeblur export: a network as a graph that other programs run."""

from __future__ import annotations

from pathlib import Path

import click

from spikedeblur.cli.command import Command
from spikedeblur.cli.completion import weights_names
from spikedeblur.cli.console import Console
from spikedeblur.cli.options import overwrite_option
from spikedeblur.cli.status import ExitStatus
from spikedeblur.errors import UsageError

SUFFIX = ".onnx"


@click.command("export", cls=Command)
@click.argument("weights", required=False, shell_complete=weights_names)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="NET.onnx",
    help="The file to write.",
)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    metavar="T",
    help="Frames of a clip, which the graph takes at once.  [default: as it was trained]",
)
@overwrite_option
@click.option("--json", "as_json", is_flag=True, help="Sum up as one JSON object on stdout.")
@click.pass_obj
def command(
    console: Console,
    *,
    weights: str | None,
    output: Path,
    window: int | None,
    overwrite: bool,
    as_json: bool,
) -> ExitStatus:
    """Write a network as an ONNX graph.

    Other programs run it without torch, on frames of any height and width. WEIGHTS is a file or a
    name, by default the weights that come with the program.
    """
    from spikedeblur.io.atomic import atomic_path, check_output
    from spikedeblur.models.checkpoint import load_model
    from spikedeblur.models.onnx_export import export_onnx

    if output.suffix.lower() != SUFFIX:
        raise UsageError(f"{output.name} is no name of a graph - end it with {SUFFIX}")
    check_output(output, overwrite)
    model = load_model(weights)
    with atomic_path(output, overwrite) as path:
        about = export_onnx(model, path, window)
    console.note(f"wrote {output}: clips of {about['frames']} frames, {about['bins']} bins each")
    if as_json:
        console.json(
            {"event": "done", "output": str(output), "warnings": console.warnings, **about}
        )
    return ExitStatus.OK
