"""A lock keeps other processes out, names its holder, and is free as soon as the holder ends."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spikedeblur.errors import OutputError
from spikedeblur.io.lock import exclusive

HOLD = """
import os, sys, time
from pathlib import Path
from spikedeblur.io.lock import exclusive
with exclusive(Path(sys.argv[1]), "it"):
    if os.fork():
        print(os.getpid(), flush=True)
    time.sleep(60)
"""
TAKE_IN_TURN = """
import os, sys, time
from pathlib import Path
from spikedeblur.errors import OutputError
from spikedeblur.io.lock import exclusive
root, done = Path(sys.argv[1]), 0
while done < 30:
    try:
        with exclusive(root / ".lock", "it"):
            (root / "inside").touch(exist_ok=False)  # fails when two are inside at once
            (root / "inside").unlink()
        done += 1
    except OutputError:
        pass
"""


def start(script: str, argument: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(argument)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_another_process_is_refused_and_the_holder_named(tmp_path: Path) -> None:
    holder = start(HOLD, tmp_path / ".lock")
    try:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        with (
            pytest.raises(OutputError, match=rf"the folder x is in use .*\(pid {pid} on .*\) - "),
            exclusive(tmp_path / ".lock", "the folder x"),
        ):
            pass
        # Killed, while a process that it forked lives on.
        os.kill(pid, signal.SIGKILL)
        holder.wait()
        with exclusive(tmp_path / ".lock", "the folder x"):
            assert (tmp_path / ".lock").read_text().startswith(f"{os.getpid()} ")
        assert not (tmp_path / ".lock").exists()
    finally:
        os.killpg(holder.pid, signal.SIGKILL)


def test_no_two_are_inside_at_once_though_each_removes_the_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        jobs = [start(TAKE_IN_TURN, tmp_path) for _ in range(3)]
        said = list(pool.map(lambda job: job.communicate(timeout=60)[1], jobs))
    assert [job.returncode for job in jobs] == [0, 0, 0], said
    assert not list(tmp_path.iterdir())


def test_the_lock_ends_with_the_block_also_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), exclusive(tmp_path / ".lock", "it"):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot write .*none"),
        exclusive(tmp_path / "none" / ".lock", "it"),
    ):
        pass


def test_file_systems_without_locks_are_used_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with exclusive(tmp_path / ".lock", "the folder x"):
        pass
    assert "the folder x cannot be locked here (No locks available)" in caplog.text
