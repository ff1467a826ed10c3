"""The class of every command: options in groups, and values from where a call does not say them."""

from __future__ import annotations

from typing import Any

import click
import cloup

from spikedeblur.cli.configuration import FORMER
from spikedeblur.cli.console import Console
from spikedeblur.cli.files import say_settings, take_files
from spikedeblur.cli.groups import GROUPS, TALK, title_of
from spikedeblur.cli.origins import CALL, not_typed
from spikedeblur.cli.talk import talk_options
from spikedeblur.cli.variables import variables
from spikedeblur.errors import UsageError


class Command(cloup.Command):
    """A command whose options are listed by what they are for, those of talk among them.

    Each option has its variables, and a key in configuration files.
    """

    def __init__(
        self, name: str | None, *, params: list[click.Parameter], **attributes: Any
    ) -> None:
        for option in params:
            if isinstance(option, click.Option):
                option.envvar = variables(name, option)
        params = [*params, *talk_options(of_command=True)]
        groups = {title: cloup.OptionGroup(title) for title in GROUPS}
        for option in params:
            if isinstance(option, click.Option) and (title := title_of(name, option)):
                option.group = groups[title]  # type: ignore[attr-defined]
        super().__init__(name, params=params, **attributes)
        self.option_groups.sort(key=lambda group: list(GROUPS).index(group.title))

    def get_ungrouped_options(self, ctx: click.Context) -> list[click.Option]:
        """Options of no group; --help, which click adds, is one of talk."""
        return list(self.ungrouped_options)

    def make_option_group_help_section(
        self, group: cloup.OptionGroup, ctx: click.Context
    ) -> cloup.HelpSection:
        """Describe the options of a group."""
        section = super().make_option_group_help_section(group, ctx)
        if group.title == TALK and (option := self.get_help_option(ctx)) is not None:
            record = option.get_help_record(ctx)
            section.definitions = [*section.definitions, *([record] if record else [])]
        return section

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read a call; former names of options are taken for those of now."""
        take_files(ctx, args)
        own = {name for option in self.params for name in option.opts}
        ends = args.index("--") if "--" in args else len(args)
        words = [*(_renamed(word, own) for word in args[:ends]), *args[ends:]]
        ctx.meta[CALL] = tuple(words)
        return super().parse_args(ctx, words)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of an option that was not typed says where it is from."""
        if isinstance(ctx.obj, Console):
            say_settings(ctx, ctx.obj)
        try:
            return super().invoke(ctx)
        except UsageError as error:
            error.args = (f"{error}{not_typed(ctx, str(error))}",)
            raise


def _renamed(word: str, own: set[str]) -> str:
    name, separator, value = word.partition("=")
    now = f"--{FORMER.get(name.removeprefix('--'), '')}"
    return f"{now}{separator}{value}" if name.startswith("--") and now in own else word
