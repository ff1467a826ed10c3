"""Environment variables of options: SPIKEDEBLUR_COMMAND_OPTION, or SPIKEDEBLUR_OPTION for all."""

from __future__ import annotations

import os
from collections.abc import Iterable

import click

from spikedeblur.cli.groups import long_name

PREFIX = "SPIKEDEBLUR_"
# Options that mean another thing in each command, so that one value for all would be of none.
OF_ONE_COMMAND = frozenset({"compare", "config", "fps", "frames", "output", "preview", "size"})


def variables(command: str | None, option: click.Parameter) -> list[str]:
    """The variables that an option is read from, the one that is believed first before others.

    command: its name; None for the program's own options. The last one may be a former name.
    """
    name = long_name(option)
    general = PREFIX + _word(name)
    if command is None:
        return [general]
    own = f"{PREFIX}{_word(command)}_"
    former = own + _word(str(option.name))
    every = [] if name in OF_ONE_COMMAND else [general]
    return list(dict.fromkeys([own + _word(name), *every, former]))


def set_variable(option: click.Parameter) -> str | None:
    """The variable that an option's value is from, None if none of them is set."""
    return next((name for name in option.envvar or () if os.environ.get(name)), None)


def of_commands(commands: Iterable[click.Command]) -> set[str]:
    """The variables of all options of these commands."""
    return {name for each in commands for option in each.params for name in option.envvar or ()}


def unknown_variables(known: set[str]) -> list[str]:
    """The variables that are set and begin like ours, and are not among `known`."""
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def _word(name: str) -> str:
    return name.replace("-", "_").upper()
