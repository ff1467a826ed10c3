"""The terminal: messages on stderr, data on stdout.

Messages of the layers below arrive through the logger `spikedeblur`; they know of no terminal.
Shown are notes and warnings; with -v also details, with -q only errors.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from spikedeblur.errors import LOGGER, OutputError


def printable(text: str) -> str:
    r"""`text` on one line, control characters as \xNN: a file name cannot move the cursor."""
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


class _LineFormatter(logging.Formatter):
    """`spikedeblur: warning: WHAT`; notes and details without the level's name."""

    def format(self, record: logging.LogRecord) -> str:
        kind = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return f"spikedeblur: {kind}{printable(record.getMessage())}"


class _DatedFormatter(_LineFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record)} {super().format(record)}"


class _StderrHandler(logging.Handler):
    """Writes to the stderr of the moment, which a bar replaces by one that writes above it.

    Not through click, which would write to what is beneath that one.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is not None:
            print(self.format(record), file=sys.stderr, flush=True)


class _LogFile(logging.FileHandler):
    """Gives up, with a word on stderr, when the file cannot be written: the work is worth more."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        error = sys.exc_info()[1]
        self.setLevel(logging.CRITICAL + 1)
        reason = getattr(error, "strerror", None) or error
        click.echo(
            f"spikedeblur: warning: the log ends here ({printable(self.baseFilename)}: "
            f"{reason}) - make room, or write it elsewhere",
            err=True,
        )

    def close(self) -> None:
        with suppress(OSError):  # of what could not be written, which was reported
            super().close()


class _WarningCounter(logging.Handler):
    """Counts warnings, shown or not."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += record.levelno == logging.WARNING


class _EventHandler(logging.Handler):
    """Writes warnings that have numbers (`extra={"event": ...}`) as lines of JSON."""

    def __init__(self, console: Console, beside: dict[str, Any]) -> None:
        super().__init__(logging.WARNING)
        self._console, self._beside = console, beside

    def emit(self, record: logging.LogRecord) -> None:
        if (event := getattr(record, "event", None)) is not None:
            self._console.json({**event, **self._beside})


class Console:
    """The terminal as commands see it; `configure` follows once the options are known.

    `resume_hint`: what is left of a command that is interrupted, and how to go on.
    """

    def __init__(self) -> None:
        self.quiet = False
        self.resume_hint = "nothing was left half written"
        self._verbosity = 0
        self._log_file: str | None = None
        self._counter = _WarningCounter()
        self._stderr = _StderrHandler(logging.INFO)
        self._stderr.setFormatter(_LineFormatter())
        self._handlers: list[logging.Handler] = []
        self._add(self._counter)
        self._add(self._stderr)
        LOGGER.setLevel(logging.DEBUG)
        LOGGER.propagate = False

    def configure(
        self, *, verbose: int = 0, quiet: bool = False, log_file: str | None = None
    ) -> None:
        """Apply -v, -q and --log-file, given before the command, after it, or both.

        Raises `OutputError` if the log cannot be opened.
        """
        self.quiet, self._verbosity = self.quiet or quiet, self._verbosity + verbose
        self._stderr.setLevel(
            logging.ERROR if self.quiet else logging.DEBUG if self._verbosity else logging.INFO
        )
        if log_file is not None and log_file != self._log_file:
            self._log_file = log_file
            try:
                if Path(log_file).exists() and not Path(log_file).is_file():
                    # To open a pipe would wait for a reader, maybe for ever.
                    raise OutputError(f"the log is a pipe or a device ({log_file}) - name a file")
                handler = _LogFile(log_file, encoding="utf-8")
            except OSError as error:
                raise OutputError(
                    f"cannot write the log ({log_file}: {error.strerror}) - "
                    "check its folder and permissions"
                ) from None
            handler.setFormatter(_DatedFormatter())
            self._add(handler)

    def _add(self, handler: logging.Handler) -> None:
        self._handlers.append(handler)
        LOGGER.addHandler(handler)

    @property
    def warnings(self) -> int:
        """Warnings so far."""
        return self._counter.count

    def note(self, text: str) -> None:
        """Say something in passing."""
        LOGGER.info("%s", text)

    def warn(self, text: str) -> None:
        """Warn of something that did not go as wished."""
        LOGGER.warning("%s", text)

    def detail(self, text: str) -> None:
        """Say something for those who gave -v."""
        LOGGER.debug("%s", text)

    def error(self, text: str, error: BaseException | None = None) -> None:
        """Say why the program ends; with -vv also where `error` came from."""
        LOGGER.error("%s", text)
        if error is not None and self._verbosity >= 2:
            trace = "".join(traceback.format_exception(error))
            click.echo("\n".join(map(printable, trace.splitlines())), err=True)

    def data(self, text: str) -> None:
        """Write a line of data to stdout, at once."""
        click.echo(text)

    def json(self, value: dict[str, Any]) -> None:
        """Write one object as a line of JSON to stdout, at once."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
        # What JSON leaves as it is, a terminal may not: DEL, C1 controls, changes of direction;
        # and names that are no Unicode cannot be written.
        click.echo("".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text))

    @contextmanager
    def warnings_as_json(self, **beside: Any) -> Iterator[None]:
        """Write warnings that have numbers to stdout, too; `beside`: more members of each."""
        handler = _EventHandler(self, beside)
        LOGGER.addHandler(handler)
        try:
            yield
        finally:
            LOGGER.removeHandler(handler)

    def close(self) -> None:
        """Let go of the logger and the log file."""
        LOGGER.setLevel(logging.NOTSET)
        LOGGER.propagate = True
        for handler in self._handlers:
            LOGGER.removeHandler(handler)
            handler.close()
