"""Image sequences (PNG, TIFF; 8 or 16 bits) read and written like a video."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import numpy as np

from spikedeblur.errors import InputError, OutputError, UsageError
from spikedeblur.io.atomic import cannot_write, link_or_copy, short_name, sync
from spikedeblur.io.colour import to_uint8
from spikedeblur.io.colour_tags import FULL, RGB_MATRIX, ColourTags, matrix_of
from spikedeblur.io.guards.limits import check_regular
from spikedeblur.io.image_files import read_image, write_image
from spikedeblur.io.image_notes import image_notes
from spikedeblur.io.video_info import FALLBACK_RATE, VideoFrame, VideoInfo

IMAGE_SUFFIXES = frozenset({".png", ".tif", ".tiff"})
_NUMBER = re.compile(r"%0?(\d{0,2})d")


def is_image_sequence(path: Path | str) -> bool:
    """Return whether `path` names images: a PNG, a TIFF, or a pattern such as `%05d.png`."""
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def numbered_files(pattern: Path) -> list[Path]:
    """The existing files of a pattern such as `frames/%05d.png`, by number; or the one file.

    Raises `InputError` when there is none or when a number is missing in between.
    """
    if not _NUMBER.search(pattern.name):
        check_regular("image", pattern)
        return [pattern]
    found = {int(match.group(1)): entry for entry, match in _matches(pattern)}
    if not found:
        raise InputError(f"no image matches {pattern} - check the folder and the number of digits")
    first, last = min(found), max(found)
    for number in range(first, last):
        if number not in found:
            raise InputError(
                f"image {number} of {pattern} is missing ({first} to {last} were "
                "found) - complete the sequence"
            )
    return [found[number] for number in range(first, last + 1)]


def _numbers(pattern: Path) -> list[int]:
    """Those of the files that match a pattern; none of a single file."""
    if not _NUMBER.search(pattern.name):
        return []
    return [int(match.group(1)) for _, match in _matches(pattern)]


def existing_images(pattern: Path) -> list[Path]:
    """The files that a sequence written to `pattern`, or a single image, could replace."""
    if _NUMBER.search(pattern.name):
        return [entry for entry, _ in _matches(pattern)]
    return [pattern] if pattern.exists() else []


def images_in(folder: Path) -> list[Path]:
    """The images that lie in a folder, by name."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in IMAGE_SUFFIXES and not entry.name.startswith(".")
    )


class ImageSequenceReader:
    """Reads a numbered sequence; image `n` is shown at n / rate seconds. See `VideoReader`."""

    def __init__(
        self,
        path: Path | str,
        *,
        rate: Fraction | None = None,
        start: Fraction | None = None,
        end: Fraction | None = None,
        max_pixels: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.damaged = 0
        self.warnings: list[str] = []
        self._max_pixels = max_pixels
        files = numbered_files(self.path)
        first_number = min(_numbers(self.path), default=None)
        if rate is None:
            rate = FALLBACK_RATE
            self.warnings.append(f"images have no frame rate: {rate} per second are assumed")
        if rate <= 0:
            raise UsageError(f"the frame rate ({rate}) is not positive - give frames per second")
        self._chosen = [
            (number, file)
            for number, file in enumerate(files)
            if (start is None or number / rate >= start) and (end is None or number / rate < end)
        ]
        if not self._chosen:
            raise InputError(
                f"no image lies between --start and --end ({self.path}) - "
                f"{len(files)} images last {float(len(files) / rate):.3f} s"
            )
        first = read_image(self._chosen[0][1], max_pixels)
        notes = image_notes(self._chosen[0][1])
        if lost := [*notes.lost, *["all pictures but the first"] * (notes.frames > 1)]:
            self.warnings.append(f"not kept of the images: {', '.join(dict.fromkeys(lost))}")
        self.info = VideoInfo(
            width=first.shape[1],
            height=first.shape[0],
            time_base=1 / rate,
            average_rate=rate,
            pix_fmt="rgb24" if first.dtype == np.uint8 else "rgb48le",
            container="images",
            codec=self.path.suffix.lower().lstrip("."),
            lossless=True,
            frame_count_estimate=len(self._chosen),
            duration=len(files) / rate,
            start=start,
            end=end,
            colour=ColourTags(matrix=RGB_MATRIX, range=FULL),
            matrix=matrix_of(ColourTags(), first.shape[0]),
            full_range=True,
            first_number=None if first_number is None else first_number + self._chosen[0][0],
            notes=notes,
        )
        self._frames = self._read(first)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._frames

    def close(self) -> None:
        """Nothing is held open between images."""

    def _read(self, first: np.ndarray) -> Iterator[VideoFrame]:
        step = self.info.time_base
        for index, (number, file) in enumerate(self._chosen):
            rgb = first if index == 0 else read_image(file, self._max_pixels)
            if rgb.shape != first.shape or rgb.dtype != first.dtype:
                raise InputError(
                    f"{file} is {rgb.shape[1]}x{rgb.shape[0]} {rgb.dtype}, the first "
                    f"image {first.shape[1]}x{first.shape[0]} {first.dtype} - make "
                    "them alike"
                )
            yield VideoFrame(index, number, step, 1, step, rgb)


class ImageSequenceWriter:
    """Writes frames as images, which all appear when the `with` block ends well.

    They are numbered as those of `source`, from 1 if it is no sequence; done: how many of them
    others write.
    """

    def __init__(
        self, path: Path | str, source: VideoInfo, *, overwrite: bool = False, done: int = 0
    ) -> None:
        self.path = Path(path)
        self.warnings = []
        if source.container != "images":
            self.warnings.append(
                "images hold no sound, times or colour tags: a video file, such as .mkv, keeps them"
            )
        self._chunks = source.notes.chunks if self.path.suffix.lower() == ".png" else b""
        if source.notes.words and not self._chunks:
            words = ", ".join(source.notes.words)
            self.warnings.append(f"{words} of the images are not kept in TIFF: use .png")
        self.frames = 0
        self._size = (source.width, source.height)
        self._sixteen = source.bit_depth > 8
        self._first = (1 if source.first_number is None else source.first_number) + done
        self._numbered = _NUMBER.search(self.path.name) is not None
        likely = 2 if source.container == "apng" else 1  # which does not say how many it has
        if not self._numbered and (source.frame_count_estimate or likely) > 1:
            self._refuse_several()
        folder = self.path.parent
        if not folder.is_dir():
            raise OutputError(f"the output folder does not exist ({folder}) - create it first")
        if not overwrite and (existing := existing_images(self.path)):
            raise OutputError(
                f"the output exists ({existing[0]}) - give -y to replace it, or another -o"
            )
        self._folder = folder / f".{short_name(self.path.stem.replace('%', ''))}.{os.getpid()}.part"
        self._guard(self._folder.mkdir)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._guard(self._publish)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, frame: VideoFrame) -> None:
        """Write one image: 16 bits when the input has more than 8, else 8."""
        rgb = frame.rgb
        if rgb.shape != (self._size[1], self._size[0], 3):
            raise ValueError(f"frame of shape {rgb.shape}, output {self._size}")
        if self.frames and not self._numbered:
            self._refuse_several()
        if self._sixteen and rgb.dtype == np.uint8:
            rgb = rgb.astype(np.uint16) * 257
        elif not self._sixteen and rgb.dtype == np.uint16:
            rgb = to_uint8(rgb)
        number = self._first + self.frames
        self.frames += 1
        name = _numbered(self.path.name, number) if self._numbered else self.path.name
        self._guard(lambda: write_image(self._folder / name, rgb, self._chunks))

    def _refuse_several(self) -> NoReturn:
        raise UsageError(
            f"several frames do not fit one image ({self.path}) - name a sequence "
            "such as frames/%05d.png"
        )

    def append(self, folder: Path) -> None:
        """Take over the images that another writer has made in `folder`, and leave them there."""
        for image in images_in(folder):
            self._guard(partial(link_or_copy, image, self._folder / image.name))
            self.frames += 1

    def _publish(self) -> None:
        for entry in sorted(self._folder.iterdir()):
            sync(entry)
            os.replace(entry, self.path.with_name(entry.name))
        sync(self.path.parent)

    def _guard(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            raise cannot_write(self.path, error) from error


def _numbered(pattern: str, number: int) -> str:
    """The name with its number; what else there is of percent signs stays."""
    return _NUMBER.sub(lambda match: f"{number:0{int(match[1] or 1)}}", pattern, count=1)


def _matches(pattern: Path) -> list[tuple[Path, re.Match[str]]]:
    """The files in the pattern's folder that fit it, with the number as group 1."""
    number = _NUMBER.search(pattern.name)
    assert number is not None
    digits = int(number.group(1) or 0)
    head, tail = pattern.name[: number.start()], pattern.name[number.end() :]
    expression = re.compile(re.escape(head) + rf"(\d{{{max(digits, 1)},}})" + re.escape(tail))
    if not pattern.parent.is_dir():
        return []
    pairs = ((entry, expression.fullmatch(entry.name)) for entry in pattern.parent.iterdir())
    return [(entry, match) for entry, match in pairs if match is not None]
