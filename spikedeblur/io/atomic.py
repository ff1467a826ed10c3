"""Files appear whole or not at all: temporary name, flush, fsync, rename."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from spikedeblur.errors import OutputError

_LONGEST_NAME = 255  # bytes, on nearly every file system
_ROOM = 64  # for what is put before and behind a name


def short_name(name: str) -> str:
    """The name, or one in its place that leaves room for a prefix and a suffix of ours."""
    data = os.fsencode(name)
    if len(data) <= _LONGEST_NAME - _ROOM:
        return name
    digest = hashlib.sha256(data).hexdigest()[:12]
    return data[: _LONGEST_NAME - _ROOM - 13].decode(errors="ignore") + "~" + digest


def sync(path: Path) -> None:
    """Force the contents of a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(path: Path, error: BaseException) -> OutputError:
    """Return the error for what the system, or FFmpeg, raised while `path` was written.

    Where space or a limit has run out, the message says how many bytes there are.
    """
    number = getattr(error, "errno", None)
    said = " ".join((getattr(error, "strerror", None) or str(error)).split())
    if number in (errno.ENOSPC, errno.EDQUOT):
        folder = next(each for each in path.absolute().parents if each.is_dir())
        space = shutil.disk_usage(folder)
        return OutputError(
            f"cannot write {path} ({said}: {space.free:,} of {space.total:,} bytes "
            "are free) - make room, or choose another disk"
        )
    if number == errno.EFBIG:
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        allowed = "" if limit == resource.RLIM_INFINITY else f": the limit is {limit:,} bytes"
        return OutputError(
            f"cannot write {path} ({said}{allowed}) - raise the limit (ulimit -f), "
            "or choose another disk"
        )
    return OutputError(
        f"cannot write {path} ({said}) - check the folder, its permissions and the format"
    )


def check_output(path: Path, overwrite: bool) -> None:
    """Raise `OutputError` when `path` exists and may not be replaced, is no file, or has no folder.

    A link that leads nowhere exists. Pipes and devices are not replaced even if that is wished.
    """
    if path.is_dir():
        raise OutputError(f"the output is a folder ({path}) - name a file in it")
    if path.exists() and not path.is_file():
        raise OutputError(f"the output is a pipe or a device ({path}) - name a file")
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"the output exists ({path}) - give -y to replace it, or another -o")
    if not path.parent.is_dir():
        raise OutputError(f"the output folder does not exist ({path.parent}) - create it first")


def make_folder(folder: Path) -> None:
    """Create an output folder, unless it is there. Raises `OutputError` when it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot create the folder {folder} ({error.strerror}) - choose another"
        ) from None


def check_folder(folder: Path) -> None:
    """Raise `OutputError` where `make_folder` would, and leave nothing."""
    above = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        why = "may not be written to" if above.is_dir() else "is no folder"
        raise OutputError(f"cannot create the folder {folder} ({above} {why}) - choose another")
    try:  # rights do not tell: /proc takes no folder from anybody
        with TemporaryDirectory(dir=above):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot create the folder {folder} ({above}: {error.strerror}) - choose another"
        ) from None


def remove_leftovers(folder: Path, stem: str = "") -> None:
    """Remove temporary files and folders that killed runs have left, all or those of one name."""
    name = glob.escape(short_name(stem))
    for path in folder.glob(f".{name}{'.' if stem else '*'}[0-9]*.part*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, or a copy where the file system has no links."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def atomic_path(path: Path | str, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block succeeds.

    The temporary name keeps the suffix, since writers choose the format by it. When the block
    raises, the temporary file is removed and what stood at `path` is untouched. A link is
    followed: what it leads to is replaced.
    Raises `OutputError` for a refused overwrite and for what the file system refuses.
    """
    path = Path(path)
    check_output(path, overwrite)
    if path.is_symlink():
        path = Path(os.path.realpath(path))
        check_output(path, overwrite)
    temporary = path.with_name(f".{short_name(path.stem)}.{os.getpid()}.part{path.suffix[-16:]}")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
