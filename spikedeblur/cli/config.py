"""spikedeblur config: the settings that hold, and where each of them comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from click.core import ParameterSource

from spikedeblur.cli.command import Command
from spikedeblur.cli.configuration import as_typed, configuration_paths, file_values, read_files
from spikedeblur.cli.console import Console, printable
from spikedeblur.cli.groups import long_name
from spikedeblur.cli.variables import set_variable


@click.command("config", cls=Command)
@click.argument("command", required=False, metavar="[COMMAND]")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON on stdout.")
@click.pass_context
def command(context: click.Context, *, command: str | None, as_json: bool) -> None:
    """Show the settings that hold, and where each comes from.

    Those of variables and configuration files, for every command; with COMMAND, all of its options
    with their defaults.
    """
    console: Console = context.obj
    root = context.find_root()
    group = root.command
    assert isinstance(group, click.Group)
    names = [command] if command else group.list_commands(root)
    commands = [group.get_command(root, name) for name in names]
    if command and commands == [None]:
        raise click.UsageError(f"there is no command {command!r}", context)
    held = [row for each in commands if each for row in _settings(each, root, bool(command))]
    if not command:
        held = [*_settings(group, root, False), *held]
    files = [str(path) for path in configuration_paths() if path.is_file()]
    if as_json:
        console.json({"files": files, "settings": held})
        return
    for row in held:
        place = "" if row["from"] == "default" else f"  ({row['where']})"
        console.data(
            printable(f"{row['command']:10}{row['option']:18}{_shown(row['value'])}{place}")
        )
    read = ", ".join(files) or "none"
    console.note(f"configuration files: {read}; {configuration_paths()[1]} is the user's own")
    if not held:
        console.note("nothing is set by variables or files: defaults hold, config COMMAND has them")


def _settings(command: click.Command, root: click.Context, all_of_them: bool) -> Iterator[Any]:
    """A row for each option that has a variable: its value, and what gave it."""
    values = file_values(command, read_files())
    name = "" if isinstance(command, click.Group) else str(command.name)
    for option in command.params:
        if not isinstance(option, click.Option) or not option.envvar:
            continue
        context = click.Context(command, parent=root, info_name=name)
        found = values.get(str(option.name))
        if found is not None:
            context.default_map = {str(option.name): as_typed(option, found)}
        value, source = option.consume_value(context, {})
        row = {"command": name, "option": long_name(option), "value": _plain(value)}
        if source == ParameterSource.ENVIRONMENT:
            yield {**row, "from": "environment", "where": set_variable(option)}
        elif found is not None:
            yield {**row, "from": "file", "where": str(found)}
        elif all_of_them:
            yield {**row, "value": _default(option, row["value"]), "from": "default", "where": None}


def _plain(value: Any) -> Any:
    """A value as it would be typed; None where there is none."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str) else None


def _default(option: click.Option, value: Any) -> Any:
    """The default, in the help's words where it is no value."""
    if value is None or value == []:
        _, _, words = (option.help or "").partition("[default: ")
        return words.removesuffix("]") or value
    return value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "-"
    return "-" if value is None else str(value)
