"""Man pages: templates written by hand, filled in with what the parser knows.

    make man        # or: python -m spikedeblur.cli.manpage man

Each man/PAGE.in becomes man/PAGE. A template is roff; a line of the form @word@ stands for
something that is kept elsewhere and would otherwise go stale:

    @title@      the .TH line, from the file's name
    @name@       the NAME section, from the command's first sentence
    @synopsis@   the usage line         @options@   every option, by groups: default, choices
    @commands@   every command          @variables@ the environment variable of every option
    @cameras@    every camera whose planes are known
    @FILE.inc@   the text of man/FILE.inc

The pages are the same whenever and wherever they are made: the date is `DATE`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from configparser import ConfigParser
from pathlib import Path

import click

from spikedeblur.cli.command import Command
from spikedeblur.cli.groups import TALK
from spikedeblur.cli.main import root

DATE = "2026-11-25"  # of the version in setup.cfg; the two change together
DEFAULT_IN_HELP = re.compile(r"\s*\[default: (.*)\]$", re.DOTALL)
ESCAPES = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}


def escape(text: str) -> str:
    """`text` as roff shows it literally: on one line, no character taken for a request."""
    line = " ".join(text.split())
    shown = "".join(
        ESCAPES.get(each) or (each if each.isascii() else f"\\[u{ord(each):04X}]") for each in line
    )
    return rf"\&{shown}" if shown.startswith(".") else shown


def build(folder: Path) -> dict[Path, str]:
    """Every page of the templates in `folder`: path -> text."""
    templates = sorted(folder.glob("*.in"))
    return {path.with_suffix(""): _page(path) for path in templates}


def _page(template: Path) -> str:
    """One page. Raises KeyError for a line that stands for nothing known."""
    name, section = template.stem.rsplit(".", 1)
    command = _command(name)
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "title": lambda: _title(name, section, template.parent),
        "name": lambda: _name(command),
        "synopsis": lambda: _synopsis(command),
        "options": lambda: _options(command),
        "variables": lambda: _variables(command),
        "commands": _commands,
        "cameras": _cameras,
    }
    lines = [rf".\" Made by `make man` from {template.name} and the parser: change those."]
    for line in template.read_text(encoding="utf-8").splitlines():
        if not (match := re.fullmatch(r"@([\w.-]+)@", line)):
            lines.append(line)
        elif match[1].endswith(".inc"):
            included = template.with_name(match[1]).read_text(encoding="utf-8")
            lines += included.splitlines()
        else:
            lines += parts[match[1]]()
    return "\n".join(lines) + "\n"


def _command(page: str) -> click.Context:
    """The context of the command that a page is about; of the root for any other page."""
    parent = root.context_class(
        root, info_name="spikedeblur", show_default=True, **root.context_settings
    )
    name = page.removeprefix("spikedeblur").removeprefix("-")
    command = root.get_command(parent, name)
    return click.Context(command, info_name=name, parent=parent) if command else parent


def _title(name: str, section: str, folder: Path) -> Iterator[str]:
    setup = ConfigParser()
    setup.read(folder.parent / "setup.cfg", encoding="utf-8")
    kind = {"1": "User Commands", "5": "File Formats"}[section]
    yield (
        f".TH {escape(name.upper())} {section} {DATE} "
        f'"spikedeblur {setup["metadata"]["version"]}" "{kind}"'
    )
    yield from (".nh", ".ad l")  # nothing that may be typed is cut at the end of a line


def _name(context: click.Context) -> Iterator[str]:
    yield ".SH NAME"
    yield rf"{escape(context.command_path.replace(' ', '-'))} \- {_summary(context.command)}"


def _summary(command: click.Command) -> str:
    """The first sentence of the help, as whatis and a list of commands want it."""
    sentence = re.split(r"\.\s|\.$|\n\n", command.help or "", maxsplit=1)[0]
    return escape(sentence[0].lower() + sentence[1:])


def _synopsis(context: click.Context) -> Iterator[str]:
    yield ".SH SYNOPSIS"
    usage = " ".join(
        rf"\fI{escape(piece)}\fR" for piece in context.command.collect_usage_pieces(context)
    )
    yield rf"\fB{escape(context.command_path)}\fR {usage}"


def _options(context: click.Context) -> Iterator[str]:
    yield ".SH OPTIONS"
    for title, options in _grouped(context):
        if title:
            yield f".SS {escape(title)}"
        for option in options:
            yield from _option(option, context)


def _grouped(context: click.Context) -> Iterator[tuple[str, Iterable[click.Option]]]:
    """The options in the groups and the order of the help; the program has a single group."""
    command = context.command
    if not isinstance(command, Command):
        yield "", _documented(context)
        return
    for group in command.option_groups:
        asked = [command.get_help_option(context)] if group.title == TALK else []
        yield group.title, [*group.options, *filter(None, asked)]


def _documented(context: click.Context) -> list[click.Option]:
    return [
        option
        for option in context.command.get_params(context)
        if isinstance(option, click.Option) and not option.hidden
    ]


def _option(option: click.Option, context: click.Context) -> Iterator[str]:
    """Format its names and value, what it does, then its default and further notes."""
    yield from (".TP", _names(option) + _value(option, context))
    text, extra = option.help or "", option.get_help_extra(context)
    default = extra.get("default")
    if match := DEFAULT_IN_HELP.search(text):
        text, default = text[: match.start()], match[1]
    notes = [f"Default: {default}."] if default else []
    if option.multiple and "repeatable" not in text:
        notes.append("May be given several times.")
    if option.required:
        notes.append("Required.")
    yield from (escape(line) for line in (text, *notes) if line)


def _names(option: click.Option) -> str:
    return ", ".join(rf"\fB{escape(name)}\fR" for name in (*option.opts, *option.secondary_opts))


def _value(option: click.Option, context: click.Context) -> str:
    if option.is_flag or option.count:
        return ""
    choices = option.type.choices if isinstance(option.type, click.Choice) else ()
    shown = option.metavar or "|".join(choices) or option.make_metavar(context)
    return rf" \fI{escape(shown)}\fR"


def _variables(context: click.Context) -> Iterator[str]:
    """The variable of each option that has one."""
    yield ".PD 0"
    for option in _documented(context):
        if option.envvar:
            variable = option.envvar if isinstance(option.envvar, str) else option.envvar[0]
            yield from (".TP 40", rf"\fB{escape(variable)}\fR", _names(option))
    yield ".PD"


def _commands() -> Iterator[str]:
    context = _command("")
    yield ".SH COMMANDS"
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        yield from (".TP", rf"\fBspikedeblur\-{escape(name)}\fR(1)", _summary(command))


def _cameras() -> Iterator[str]:
    from spikedeblur.io.spikes.cameras import CAMERAS

    for camera in CAMERAS:
        rates = " or ".join(f"{rate:,} Hz" for rate in camera.rates_hz) or "any rate"
        yield from (".TP", escape(f"{camera.width}x{camera.height}, {rates}"), escape(camera.name))


def write_pages(folder: str = "man") -> None:
    """Write the pages beside their templates."""
    for path, text in build(Path(folder)).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_pages(*sys.argv[1:])
