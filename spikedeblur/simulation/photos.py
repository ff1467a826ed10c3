"""Sharp photographs as raw material: found, decoded, brought to a common size, kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

from spikedeblur.errors import InputError
from spikedeblur.io.ffmpeg.containers import error_text
from spikedeblur.io.image_files import decode_picture

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
LONGEST_SIDE = 1600
CACHE_BYTES = 1 << 30


def find_photos(source: Path | str | Iterable[Path | str]) -> list[Path]:
    """List the photographs of a folder (searched to any depth), or of several folders and files.

    Sorted, so that the same folder gives the same clips on every machine.
    Raises `InputError` when something named is missing, or nothing is found.
    """
    named = [Path(source)] if isinstance(source, (str, Path)) else [Path(item) for item in source]
    found: list[Path] = []
    for item in named:
        if not item.exists():
            raise InputError(f"no such photo or folder ({item}) - check the path")
        inside = sorted(item.rglob("*")) if item.is_dir() else [item]
        found += [
            path for path in inside if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file()
        ]
    if not found:
        raise InputError(
            f"no photographs in {', '.join(map(str, named)) or 'an empty list'} - "
            "give a folder with .jpg or .png files"
        )
    return found


def held_out(photos: list[Path]) -> tuple[list[Path], list[Path]]:
    """Every tenth photograph, at least one, is kept for validation: (training, validation).

    Raises `InputError` when there are not two.
    """
    if len(photos) < 2:
        raise InputError(
            f"one photograph is too few ({photos[0]}) - one is needed to train on "
            "and another to validate on"
        )
    validation = photos[::10]
    return [photo for photo in photos if photo not in set(validation)], validation


def read_photo(path: Path, longest_side: int = LONGEST_SIDE) -> np.ndarray:
    """Decode a photograph to (H, W, 3) uint8 sRGB, the long side at most `longest_side`.

    Photographs as cameras write them are soft at pixel level; reduced, they are sharp.
    Raises `InputError` for a file that is no picture, or too large.
    """
    try:
        frame = decode_picture(path)
        scale = min(1.0, longest_side / max(frame.width, frame.height))
        width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
        return frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise InputError(
            f"cannot read the photograph {path} ({error_text(error)}) - remove or replace the file"
        ) from error


class PhotoLibrary:
    """Photographs by number, decoded on first use; the least used leave when memory is spent."""

    def __init__(
        self, source: Path | str | Iterable[Path | str], cache_bytes: int = CACHE_BYTES
    ) -> None:
        self.paths = find_photos(source)
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._held = 0

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> np.ndarray:
        """Photograph `number` as (H, W, 3) uint8 sRGB; not to be written to."""
        if number in self._cache:
            self._cache.move_to_end(number)
            return self._cache[number]
        photo = read_photo(self.paths[number])
        photo.setflags(write=False)
        self._cache[number] = photo
        self._held += photo.nbytes
        while self._held > self._cache_bytes and len(self._cache) > 1:
            self._held -= self._cache.popitem(last=False)[1].nbytes
        return photo

    def pick(self, rng: np.random.Generator) -> np.ndarray:
        """A photograph drawn evenly."""
        return self[int(rng.integers(len(self)))]
