"""spikedeblur score: how close finished videos are to the sharp truth."""

from __future__ import annotations

from pathlib import Path

import click

from spikedeblur.cli.command import Command
from spikedeblur.cli.console import Console
from spikedeblur.cli.displays import progress_display
from spikedeblur.cli.options import json_option, progress_option, threads_option
from spikedeblur.cli.status import ExitStatus
from spikedeblur.cli.tables import print_scores
from spikedeblur.errors import SpikedeblurError
from spikedeblur.machine.threads import limit_threads


@click.command("score", cls=Command)
@click.argument(
    "results", nargs=-1, required=True, metavar="RESULT...", type=click.Path(path_type=Path)
)
@click.option(
    "--truth",
    required=True,
    type=click.Path(path_type=Path),
    metavar="SHARP",
    help="The sharp video of the same frames, or images of them.",
)
@click.option(
    "--worst",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    metavar="N",
    help="Frames of each result that are listed, those of the lowest PSNR.",
)
@threads_option
@json_option("One JSON object on stdout, with every frame, the worst first.")
@progress_option
@click.pass_obj
def command(
    console: Console,
    *,
    results: tuple[Path, ...],
    truth: Path,
    worst: int,
    threads: int | None,
    as_json: bool,
    progress: str,
) -> ExitStatus:
    """Compare finished videos with the sharp truth.

    A result is a video of any program, images such as out/%05d.png, or a folder of images; as many
    frames of the same size as the truth has.
    """
    limit_threads(threads)
    from spikedeblur.benchmarking.scoring import score_integers

    found, status = [], ExitStatus.OK
    for result in results:
        try:
            with progress_display(progress, f"{result.name}:", quiet=console.quiet) as display:
                found.append(score_integers(result, truth, progress=display.advance_to))
        except SpikedeblurError as error:
            if len(results) == 1:
                raise
            console.error(str(error), error)
            status = ExitStatus.FAILED
    if as_json:
        console.json({"truth": str(truth), "results": [each.as_json() for each in found]})
    elif found:
        print_scores(found, worst)
    if status == ExitStatus.OK and any(each.damaged for each in found):
        return ExitStatus.DAMAGED_INPUT
    return status
