"""Fingerprints of files, in a time that does not grow with their size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from spikedeblur.errors import InputError
from spikedeblur.io.guards.limits import check_regular

WHOLE_BYTES = 1 << 28
"""Up to this size every byte counts; of larger files `SAMPLES` blocks, the first and last ones
among them: recordings have hundreds of gigabytes."""
SAMPLES, BLOCK_BYTES = 64, 1 << 20


def fingerprint(path: Path) -> str:
    """SHA-256 of a file's size and content, in hexadecimal. Raises `InputError`."""
    check_regular("file", path)
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as file:
            for start in _blocks(size):
                file.seek(start)
                digest.update(file.read(BLOCK_BYTES))
    except OSError as error:
        raise InputError(
            f"cannot read {path} ({error.strerror}) - check its name and permissions"
        ) from error
    return digest.hexdigest()


def fingerprint_of_all(paths: list[Path]) -> str:
    """One fingerprint of several files, by their names and contents."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}\0{fingerprint(path)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _blocks(size: int) -> Iterator[int]:
    """Return the offsets of the blocks that are read."""
    if size <= WHOLE_BYTES:
        yield from range(0, size, BLOCK_BYTES)
        return
    yield from ((size - BLOCK_BYTES) * number // (SAMPLES - 1) for number in range(SAMPLES))
