"""Video from standard input and to standard output, where a file name is `-` or `-.SUFFIX`.

Input is first stored in a temporary file. Sound and subtitles are read beside the pictures, the
beginning may have to be read again, and an ordinary MP4 has its index at the end: none of that can
be done with a pipe. Output goes straight out, as Matroska or another format that needs no way back.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from spikedeblur.errors import InputError
from spikedeblur.io.atomic import atomic_path

PIPE = Path("-")


def is_pipe(path: Path | str) -> bool:
    """Return whether `path` stands for standard input or output: `-`, or `-.y4m` and its like."""
    path = Path(path)
    return path.stem == str(PIPE) and not path.parent.name and not path.is_absolute()


@contextmanager
def stored(source: BinaryIO) -> Iterator[Path]:
    """Yield a temporary file with everything that `source` gives; it is removed afterwards.

    Raises `InputError` if nothing comes, or the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="spikedeblur-") as folder:
        path = Path(folder) / "standard-input"
        try:
            with path.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
        except OSError as error:
            raise InputError(
                f"cannot store standard input in {folder} ({error.strerror}) - "
                "set TMPDIR to a folder with space, or name a file"
            ) from error
        if path.stat().st_size == 0:
            raise InputError(
                "nothing came from standard input (0 bytes) - check the command before the pipe"
            )
        yield path


@contextmanager
def destination(path: Path, overwrite: bool) -> Iterator[str]:
    """Yield what FFmpeg is to write to: a temporary file beside `path`, or standard output.

    As with `atomic_path` the file appears whole or not at all; what has gone out through a pipe
    has gone out. Raises what `atomic_path` raises.
    """
    if is_pipe(path):
        yield "pipe:1"
        return
    with atomic_path(path, overwrite) as temporary:
        yield f"file:{temporary.resolve()}"
