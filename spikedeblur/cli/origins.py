"""Where the values of options are from: what was typed, a variable, or a configuration file."""

from __future__ import annotations

import re
from collections.abc import Mapping

import click
from click.core import ParameterSource

from spikedeblur.cli.configuration import FORMER, FileValue
from spikedeblur.cli.variables import set_variable

TYPED = "spikedeblur.typed"
CALL = "spikedeblur.words"
FROM_FILES = "spikedeblur.files"


def elsewhere(context: click.Context, option: click.Parameter) -> str | None:
    """The variable, or the key and file, that an option's value is from; None if it was typed."""
    source = context.get_parameter_source(str(option.name))
    if source == ParameterSource.ENVIRONMENT:
        return set_variable(option)
    if source == ParameterSource.DEFAULT_MAP:
        values: Mapping[tuple[str | None, str], FileValue] = context.meta.get(FROM_FILES, {})
        return str(values.get((context.command.name, str(option.name)), "a configuration file"))
    return None


def hint(context: click.Context, option: click.Parameter) -> str:
    """What an error of an option's value calls it: the name that was typed, or where it is from."""
    if (place := elsewhere(context, option)) is not None:
        return f"{place} ({max(option.opts, key=len)})"
    named = [*option.opts, *option.secondary_opts]
    former = [f"--{old}" for old, new in FORMER.items() if f"--{new}" in named]
    typed = [
        name
        for name in (*named, *former)
        if any(_is(name, word) for word in context.meta.get(TYPED, ()))
    ]
    return f"'{typed[0]}'" if typed else option.get_error_hint(context)


def _is(name: str, word: str) -> bool:
    if name.startswith("--"):
        return word.partition("=")[0] == name
    return word.startswith(name) and not word.startswith("--")


def not_typed(context: click.Context, message: str) -> str:
    """Which options that a message names were not typed, and where they are from; or nothing."""
    places = []
    for option in context.command.params:
        place = elsewhere(context, option)
        named = [*option.opts, *option.secondary_opts]
        if place and any(re.search(rf"(?<!\S)\(?{re.escape(name)}\b", message) for name in named):
            places.append(f"{max(named, key=len)} is from {place}")
    return f" ({', '.join(places)})" if places else ""
