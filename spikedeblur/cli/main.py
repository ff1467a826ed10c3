"""The root command: finds the others when they are asked for, and turns what they raise into words.

Nothing heavy is imported here nor at the top of the command files, so that every `--help` answers
at once: numpy, torch and av are imported inside the functions that use them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Any

import click

from spikedeblur.cli.console import Console
from spikedeblur.cli.files import take_files
from spikedeblur.cli.origins import TYPED, hint
from spikedeblur.cli.reasons import reason
from spikedeblur.cli.status import ExitStatus
from spikedeblur.cli.talk import talk_options
from spikedeblur.errors import SpikedeblurError

COMMANDS = (
    "deblur",
    "preview",
    "join",
    "align",
    "info",
    "voxelize",
    "simulate",
    "train",
    "export",
    "benchmark",
    "score",
    "config",
)
EPILOG = """\b
Try it on the bundled sample:
  spikedeblur simulate sample -o sample
  spikedeblur deblur sample/blurry.mkv --spikes sample/spikes.dat
"""


class Terminated(BaseException):
    """SIGTERM or SIGHUP came: unwinds the stack, which closes files and removes temporary ones."""


class LazyGroup(click.Group):
    """A group whose commands live in their own modules, imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"spikedeblur.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; tell the nearest name if there is none."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            from difflib import get_close_matches

            for near in get_close_matches(args[0], COMMANDS, n=1):
                ctx.fail(f"No such command {args[0]!r}. (Did you mean {near!r}?)")
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the call up to the name of its command; all of it is kept, for errors."""
        ctx.meta[TYPED] = tuple(args)
        take_files(ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and flush what it printed."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:  # click would make it a failure
            raise click.exceptions.Exit(ExitStatus.BROKEN_PIPE) from None


@click.group(
    cls=LazyGroup,
    params=talk_options(of_command=False),
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=8192 * 8192,
    metavar="N",
    envvar=["SPIKEDEBLUR_MAX_PIXELS"],
    help="Refuse pictures of more pixels, and voxel grids of more values, than that: "
    "a small file can claim any size.  [default: 8192 x 8192]",
)
def root(max_pixels: int) -> None:
    """Make a blurred video sharp with a spike camera's recording of the same scene."""
    from spikedeblur.io.guards.limits import set_max_pixels

    set_max_pixels(max_pixels)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status. Never lets an exception out."""
    # Torch's threads wait by spinning, which costs five times the time where others want the cores,
    # and must be told before it is loaded; sleeping costs 15 % of `joint` where nobody does.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    console = Console()
    previous = {
        number: signal.signal(number, _terminate)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) != signal.SIG_IGN  # as nohup has it
    }
    try:
        status = _run(args, console)
        sys.stdout.flush()
    except BrokenPipeError:
        status = ExitStatus.BROKEN_PIPE
    finally:
        console.close()
        for number, handler in previous.items():
            signal.signal(number, handler)
    if status == ExitStatus.BROKEN_PIPE:
        _forget_stdout()
    return status


def _run(args: Sequence[str] | None, console: Console) -> int:
    try:
        status = root.main(args, prog_name="spikedeblur", standalone_mode=False, obj=console)
        return int(status or ExitStatus.OK)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ExitStatus.USAGE
    except click.UsageError as error:
        console.error(_usage_message(error))
        return ExitStatus.USAGE
    except click.ClickException as error:
        console.error(error.format_message())
        return ExitStatus.FAILED
    except SpikedeblurError as error:
        console.error(str(error), error)
        return error.exit_status
    except (click.Abort, KeyboardInterrupt):
        console.error(f"interrupted - {console.resume_hint}")
        return ExitStatus.CTRL_C
    except Terminated:
        console.error(f"terminated - {console.resume_hint}")
        return ExitStatus.TERMINATED
    except SystemExit as error:  # click's own, after shell completion
        return int(error.code or ExitStatus.OK)
    except Exception as error:
        console.error(reason(error), error)
        return ExitStatus.FAILED


def _usage_message(error: click.UsageError) -> str:
    """click's message as one line of the form used everywhere: what - what to do."""
    if isinstance(error, click.BadParameter) and error.param is not None and error.ctx is not None:
        error.param_hint = hint(error.ctx, error.param)
    message = error.format_message().rstrip(".")
    if " - " in message:
        return message
    command = error.ctx.command_path if error.ctx else "spikedeblur"
    return f"{message} - see {command} --help"


def _terminate(_signal: int, _frame: FrameType | None) -> Any:
    raise Terminated


def _forget_stdout() -> None:
    """Leave quietly: nobody reads stdout any more, not even what Python flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
