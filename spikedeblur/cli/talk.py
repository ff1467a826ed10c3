"""How much is said and where: options that stand before or after the name of a command."""

from __future__ import annotations

from typing import Any

import click

from spikedeblur.cli.console import Console
from spikedeblur.cli.variables import variables


def talk_options(*, of_command: bool) -> list[click.Option]:
    """--verbose, --quiet, --log-file and --version, of a command or of the program.

    Those of a command add to those before its name, and have no variables of their own.
    """
    shared: dict[str, Any] = {
        "is_eager": True,  # what comes after them is already said as they wish
        "expose_value": False,
    }
    options = [
        click.Option(
            ["-v", "--verbose"],
            count=True,
            show_default=False,
            callback=_configure,
            help="Say more; -vv also shows where an error came from.",
            **shared,
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            callback=_configure,
            help="Say nothing but errors.",
            **shared,
        ),
        click.Option(
            ["--log-file"],
            type=click.Path(dir_okay=False),
            metavar="F",
            callback=_configure,
            help="Also append every message, with the time, to this file.",
            **shared,
        ),
        click.Option(
            ["-V", "--version"],
            is_flag=True,
            callback=_print_version,
            help="Show the version and exit.",
            **shared,
        ),
    ]
    for option in options[: 0 if of_command else -1]:
        option.envvar = variables(None, option)
    return options


def _configure(context: click.Context, option: click.Parameter, value: Any) -> None:
    console = context.obj
    if value and isinstance(console, Console) and not context.resilient_parsing:
        console.configure(**{str(option.name): value})


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from spikedeblur import __version__

        click.echo(f"spikedeblur {__version__}")
        context.exit()
