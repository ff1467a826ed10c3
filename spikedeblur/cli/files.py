"""Configuration files and variables as a call finds them; what is of no option is told."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import click

from spikedeblur.cli.configuration import FileValue, as_typed, file_values, read_files
from spikedeblur.cli.console import Console
from spikedeblur.cli.groups import long_name
from spikedeblur.cli.origins import FROM_FILES
from spikedeblur.cli.variables import OF_ONE_COMMAND, PREFIX, of_commands, unknown_variables
from spikedeblur.errors import shown


def take_files(context: click.Context, args: list[str]) -> None:
    """Let configuration files say what neither `args` nor the environment do."""
    if context.resilient_parsing or {"-h", "--help", "-V", "--version"} & set(args):
        return
    values = file_values(context.command, read_files())
    options = {str(option.name): option for option in context.command.params}
    context.default_map = {name: as_typed(options[name], each) for name, each in values.items()}
    places: dict[tuple[str | None, str], FileValue] = context.meta.setdefault(FROM_FILES, {})
    places |= {(context.command.name, name): each for name, each in values.items()}


def say_settings(context: click.Context, console: Console) -> None:
    """Warn of variables and keys that are none of ours; say what a file here has changed."""
    root = context.find_root()
    group = root.command
    known = of_commands((context.command, group))
    files = read_files()
    strange = [key for each in files for key in _strange_keys(each.tables, context.command)]
    if unknown_variables(known) or strange:
        assert isinstance(group, click.Group)
        listed = [group.get_command(root, name) for name in group.list_commands(root)]
        every = [group, *filter(None, listed)]
        known = of_commands(every)
        for name in unknown_variables(known):
            console.warn(f"the variable {shown(name)} is of no option - {_advice(name, known)}")
        for each in files:
            for key, advice in _unknown_keys(each.tables, every):
                console.warn(f"{each.path} has {shown(key)}, of no option - {advice}")
    here = [
        each.key
        for (command, _), each in context.meta.get(FROM_FILES, {}).items()
        if not each.path.is_absolute()
    ]
    if here:
        console.note(f"settings of {files[0].path}: {', '.join(here)}")


def _strange_keys(tables: dict[str | None, dict[str, Any]], command: click.Command) -> list[str]:
    """Keys and tables that one command alone does not know."""
    names = {long_name(option) for option in command.params}
    other = [str(table) for table in tables if table not in (None, command.name)]
    every = [key for key in tables[None] if key not in names - OF_ONE_COMMAND]
    return other + every + [key for key in tables.get(command.name, {}) if key not in names]


def _unknown_keys(
    tables: dict[str | None, dict[str, Any]], commands: list[click.Command]
) -> list[tuple[str, str]]:
    """Keys and tables that no command knows, each with what to do."""
    of = {
        None if isinstance(each, click.Group) else each.name: {
            long_name(option) for option in each.params if option.envvar
        }
        for each in commands
    }
    of[None] = set().union(*of.values()) - OF_ONE_COMMAND
    unknown: list[tuple[str, str]] = []
    for table, values in tables.items():
        if table not in of:
            unknown.append((f"[{table}]", _advice(f"[{table}]", {f"[{each}]" for each in of})))
            continue
        for key in values:
            if table is None and key in OF_ONE_COMMAND:
                unknown.append((key, "its meaning is a command's: write it in a table, [deblur]"))
            elif key not in of[table]:
                unknown.append((key, _advice(key, of[table])))
    return unknown


def _advice(name: str, known: set[str]) -> str:
    """Name the nearest of `known`, by what is behind the beginning that all variables have."""
    tails = {each.removeprefix(PREFIX): each for each in known}
    near = get_close_matches(name.removeprefix(PREFIX), tails, n=1, cutoff=0.6)
    return f"did you mean {tails[near[0]]}?" if near else "spikedeblur config lists those there are"
