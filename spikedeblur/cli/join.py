"""spikedeblur join: the parts that several shards have made become one video."""

from __future__ import annotations

from pathlib import Path

import click

from spikedeblur.cli.command import Command
from spikedeblur.cli.console import Console
from spikedeblur.cli.options import overwrite_option
from spikedeblur.cli.status import ExitStatus
from spikedeblur.quantities import counted


@click.command("join", cls=Command)
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--video",
    type=click.Path(path_type=Path),
    metavar="VIDEO",
    help="Where the blurry video is now; its sound and subtitles are copied.  "
    "[default: where it was]",
)
@overwrite_option
@click.option("--json", "as_json", is_flag=True, help="Sum up as one JSON object on stdout.")
@click.pass_obj
def command(
    console: Console, *, output: Path, video: Path | None, overwrite: bool, as_json: bool
) -> ExitStatus:
    """Join the parts of OUTPUT that `deblur --shard` has made.

    The last shard done does this by itself; it is for when that one was stopped in between.
    OUTPUT is what was given to deblur, or the folder OUTPUT.parts.
    """
    from spikedeblur.output.joining import join_output
    from spikedeblur.output.parts import Parts

    if output.suffix == ".parts" and output.is_dir():
        output = output.with_suffix("")
    tally, not_kept = join_output(Parts(output), video, overwrite=overwrite)
    for warning in (*dict.fromkeys(not_kept), *tally.warnings()):
        console.warn(warning)
    console.note(f"wrote {output}: {counted(tally.written, 'frame')}")
    if as_json:
        console.json(
            {
                "event": "done",
                "frames": tally.written,
                "output": str(output),
                "warnings": console.warnings,
                "partial": tally.partial,
                "uncovered": tally.uncovered,
                "not_finite": tally.not_finite,
                "damaged": tally.damaged,
            }
        )
    return ExitStatus.DAMAGED_INPUT if tally.input_was_damaged else ExitStatus.OK
