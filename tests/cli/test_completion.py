"""Completion as README sets it up, in shells that are installed: typed letters become words."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile"], ""),
    "zsh": (["zsh", "-f"], "autoload -Uz compinit && compinit -u -D; "),
}
PATIENCE_S = 30


class Terminal:
    """A shell in a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process, self._file = pty.fork()
        if self.process == 0:
            os.execvpe(command[0], command, environment)
        self.shown = ""

    def type(self, text: str, until: str) -> None:
        """Type, and wait until `until` is shown. Raises AssertionError if it never is."""
        self.shown = ""
        os.write(self._file, text.encode())
        end = time.monotonic() + PATIENCE_S
        while until not in self.shown:
            assert time.monotonic() < end, f"{until!r} is not in {self.shown!r}"
            if select.select([self._file], [], [], 0.1)[0]:
                self.shown += os.read(self._file, 1 << 16).decode(errors="replace")

    def close(self) -> None:
        os.close(self._file)
        os.waitpid(self.process, 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_letters_typed_become_words(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program = tmp_path / "spikedeblur"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m spikedeblur "$@"\n')
    program.chmod(0o755)
    command, before = SHELLS[shell]
    terminal = Terminal(
        command,
        {
            **os.environ,
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "TERM": "dumb",
            "PYTHONPATH": str(ROOT),
            "PS1": "> ",
            "HOME": str(tmp_path),
        },
    )
    try:
        setup = f'eval "$(_SPIKEDEBLUR_COMPLETE={shell}_source spikedeblur)"'
        terminal.type(f"{before}{setup}; echo re''ady\n", until="ready")
        terminal.type("spikedeblur vox\t", until="voxelize ")
        terminal.type("--bin\t", until="--bins ")
    finally:
        terminal.close()
