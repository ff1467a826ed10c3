"""Settings in files: `spikedeblur.toml` here, and in the user's folder of configurations.

    threads = 2           # for every command that has --threads
    [deblur]
    method = "sdm"        # for this one, before what is said for all

A file here is believed before the user's, and the environment before both.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from spikedeblur.cli.groups import long_name
from spikedeblur.cli.variables import OF_ONE_COMMAND
from spikedeblur.errors import ConfigError, shown

FILE_NAME = "spikedeblur.toml"
LARGEST_FILE = 64 * 1024  # bytes
FORMER = {"frame-rate": "fps", "frames-per-second": "fps"}
"""Former names of options, which are taken everywhere but listed nowhere."""
LEFT_OUT: set[str] = set()
"""Options that files do not set: a process that does one video of several leaves them to others."""


@dataclass(frozen=True)
class FileValue:
    """A value of a configuration file, and where it stands: `[deblur] method in PATH`."""

    value: Any
    key: str
    path: Path

    def __str__(self) -> str:
        return f"{self.key} in {self.path}"


@dataclass(frozen=True)
class ConfigurationFile:
    """A file's tables by the names of commands; the one for all commands is that of None.

    The keys are long names of options.
    """

    path: Path
    tables: dict[str | None, dict[str, Any]]

    def find(self, command: str | None, name: str) -> FileValue | None:
        """The value that it has for an option of a command, None for no value."""
        every = name not in OF_ONE_COMMAND or command is None
        for table in (command, None) if every else (command,):
            if name in (values := self.tables.get(table, {})):
                key = name if table is None else f"[{table}] {name}"
                return FileValue(values[name], key, self.path)
        return None


def read_files() -> list[ConfigurationFile]:
    """The configuration files there are, the one that is believed first before the other.

    Raises ConfigError for one that cannot be read or is no TOML.
    """
    return [_read(path) for path in configuration_paths() if path.is_file()]


def configuration_paths() -> tuple[Path, Path]:
    """Where a configuration file is looked for: here, and the user's."""
    return Path(FILE_NAME), Path(click.get_app_dir("spikedeblur")) / FILE_NAME


def _read(path: Path) -> ConfigurationFile:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise ValueError(f"above {LARGEST_FILE:,} bytes")
        table = tomllib.loads(content.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        raise ConfigError(f"cannot read the settings in {path} ({reason}) - correct it") from None
    tables: dict[str | None, dict[str, Any]] = {None: {}}
    for key, value in table.items():
        if isinstance(value, dict):
            tables[key] = {option_named(name): each for name, each in value.items()}
        else:
            tables[None][option_named(key)] = value
    return ConfigurationFile(path, tables)


def option_named(name: str) -> str:
    """The long name of an option as it is now: `frame_rate` -> "fps"."""
    dashed = name.replace("_", "-")
    return FORMER.get(dashed, dashed)


def file_values(command: click.Command, files: Iterable[ConfigurationFile]) -> dict[str, FileValue]:
    """The values that files have for a command's options, by the names of their parameters."""
    found: dict[str, FileValue] = {}
    for option in command.params:
        if not (isinstance(option, click.Option) and option.envvar):
            continue
        if long_name(option) in LEFT_OUT:
            continue
        name = command.name if isinstance(command.name, str) and is_command(command) else None
        for each in files:
            if (value := each.find(name, long_name(option))) is not None:
                found[str(option.name)] = value
                break
    return found


def is_command(command: click.Command) -> bool:
    """Whether it is one of the program's commands, and not the program itself."""
    return not isinstance(command, click.Group)


def as_typed(option: click.Parameter, found: FileValue) -> Any:
    """A value as click has it from a command line. Raises ConfigError for a table."""
    value = found.value
    several = value if isinstance(value, list) else [value]
    if any(isinstance(each, dict | list) for each in several):
        raise ConfigError(f"not a value ({found}: {shown(value)} seen) - give a number or a text")
    words = [each if isinstance(each, bool) else str(each) for each in several]
    if getattr(option, "multiple", False) or option.nargs != 1:
        return words
    return words[0] if len(words) == 1 else ",".join(map(str, words))
