"""Small JSON files that are whole or not there, and whose content nothing has changed since."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from spikedeblur.errors import UsageError
from spikedeblur.io.atomic import atomic_path

HIGHEST_BYTES = 1 << 26
Content = TypeVar("Content", bound=BaseModel)


def write_sealed(path: Path, content: BaseModel) -> None:
    """Write `content` as a line of JSON and a line with its SHA-256. Raises `OutputError`."""
    text = content.model_dump_json().encode()
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(text + b"\n" + _seal(text) + b"\n")


def read_sealed(path: Path, kind: type[Content]) -> Content | None:
    """The content of a sealed file; None if it is not there, is damaged, or holds another kind."""
    if not path.is_file():  # a pipe or a device might never end
        return None
    try:
        with path.open("rb") as file:
            lines = file.read(HIGHEST_BYTES).split(b"\n")
        if len(lines) != 3 or lines[2] or lines[1] != _seal(lines[0]):
            return None
        return kind.model_validate_json(lines[0])
    except (OSError, ValidationError, UsageError):
        return None


def _seal(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()
