"""Image sequences (PNG, TIFF; 8 or 16 bits) read and written like a video."""

from __future__ import annotations

import os
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
from spikedeblur.io.closing import Closing
from spikedeblur.io.colour import to_uint8
from spikedeblur.io.colour_tags import FULL, RGB_MATRIX, ColourTags, matrix_of
from spikedeblur.io.image_files import read_with_alpha, write_image
from spikedeblur.io.image_names import (
    existing_images,
    images_in,
    is_pattern,
    numbered_files,
    numbers_of,
    with_number,
)
from spikedeblur.io.image_notes import ImageNotes, image_notes
from spikedeblur.io.video_info import FALLBACK_RATE, VideoFrame, VideoInfo


class ImageSequenceReader(Closing):
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
        first_number = min(numbers_of(self.path), default=None)
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
        first, alpha = read_with_alpha(self._chosen[0][1], max_pixels)
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
        self._frames = self._read(first, alpha, notes)

    def __iter__(self) -> Iterator[VideoFrame]:
        return self._frames

    def close(self) -> None:
        """Nothing is held open between images."""

    def _read(
        self, first: np.ndarray, alpha: np.ndarray | None, notes: ImageNotes
    ) -> Iterator[VideoFrame]:
        step = self.info.time_base
        for index, (number, file) in enumerate(self._chosen):
            rgb = first
            if index:
                (rgb, alpha), notes = read_with_alpha(file, self._max_pixels), image_notes(file)
            if rgb.shape != first.shape or rgb.dtype != first.dtype:
                raise InputError(
                    f"{file} is {rgb.shape[1]}x{rgb.shape[0]} {rgb.dtype}, the first "
                    f"image {first.shape[1]}x{first.shape[0]} {first.dtype} - make "
                    "them alike"
                )
            yield VideoFrame(index, number, step, 1, step, rgb, alpha=alpha, notes=notes)


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
        if source.notes.missing and self.path.suffix.lower() != ".png":
            words = ", ".join(source.notes.missing)
            self.warnings.append(f"{words} of the images are not kept in TIFF: use .png")
        self.frames = 0
        self._size = (source.width, source.height)
        self._sixteen = source.bit_depth > 8
        self._first = (1 if source.first_number is None else source.first_number) + done
        self._numbered = is_pattern(self.path)
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
        pixels = frame.rgb
        if pixels.shape != (self._size[1], self._size[0], 3):
            raise ValueError(f"frame of shape {pixels.shape}, output {self._size}")
        if self.frames and not self._numbered:
            self._refuse_several()
        if frame.alpha is not None:
            pixels = np.dstack([pixels, frame.alpha])
        if self._sixteen and pixels.dtype == np.uint8:
            pixels = pixels.astype(np.uint16) * 257
        elif not self._sixteen and pixels.dtype == np.uint16:
            pixels = to_uint8(pixels)
        number = self._first + self.frames
        self.frames += 1
        name = with_number(self.path.name, number) if self._numbered else self.path.name
        self._guard(lambda: write_image(self._folder / name, pixels, frame.notes))

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
