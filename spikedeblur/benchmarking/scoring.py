"""Finished videos of any program against the sharp truth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from spikedeblur.benchmarking.scores import FIGURES, Score
from spikedeblur.errors import LOGGER, InputError, UsageError
from spikedeblur.io.image_files import read_image
from spikedeblur.io.image_names import images_in, is_image_sequence
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import FALLBACK_RATE
from spikedeblur.notebook import fact_table

__all__ = ["PictureSource", "VideoScore", "score_integers"]

VideoLike = str | Path | np.ndarray


@dataclass(frozen=True, kw_only=True)
class VideoScore:
    """Distance of one video from the truth: means over its frames, None where nothing was measured.

    result: its name. psnr, ssim (RGB), psnr_y, ssim_y (luma), temporal and lpips as in `Score`.
    frames: of each frame its number ("frame"), its "time_s" (None for pictures without a clock)
    and its figures, that with the lowest PSNR first. damaged: places where the video is damaged.
    """

    result: str
    psnr: float | None
    ssim: float | None
    psnr_y: float | None
    ssim_y: float | None
    temporal: float | None
    lpips: float | None
    frames: Sequence[dict[str, Any]]
    damaged: int = 0

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return dict(vars(self))

    def _repr_html_(self) -> str:
        figures = {name: value for name, value in vars(self).items() if name != "frames"}
        return fact_table("Score", {**figures, "worst frame": self.frames[0]["frame"]})


def score_integers(
    result: VideoLike,
    truth: VideoLike,
    *,
    progress: Callable[[int, int | None], None] | None = None,
) -> VideoScore:
    """Compare a video with the sharp one, frame by frame; two frames of each are in memory.

    result, truth: a video file, images (`out/%05d.png`, or a folder, by the numbers in their
    names), or an array (T, H, W, 3) of uint8 or uint16. They may differ in depth and container.
    progress: called with (frames compared, None) after each.
    Raises `InputError` for files that cannot be read, and unless both have as many frames of one
    size.
    """
    seen, true = PictureSource(result), PictureSource(truth)
    counted, places = Score(), []
    for place, (one, other) in enumerate(zip_longest(seen, true)):
        if one is None or other is None:
            continue
        if one[1].shape != other[1].shape:
            sizes = ("{1}x{0}".format(*rgb.shape) for _, rgb in (one, other))
            raise InputError(
                f"{seen.name} and {true.name} differ in size ({' and '.join(sizes)} seen) - "
                "give the sharp video of the same frames"
            )
        counted.add(one[1], other[1])
        places.append({"frame": place, "time_s": one[0]})
        if progress is not None:
            progress(len(places), None)
    if seen.frames != true.frames:
        raise InputError(
            f"{seen.name} and {true.name} differ in length ({seen.frames} and {true.frames} frames "
            "seen) - give the sharp video of the same frames"
        )
    if not seen.frames:
        raise UsageError(f"{seen.name} and {true.name} have no frames - give videos")
    rows: list[dict[str, Any]] = [
        {**place, **{name: figures.get(name) for name in FIGURES}}
        for place, figures in zip(places, counted.frames, strict=True)
    ]
    rows.sort(key=lambda row: row["psnr"])
    return VideoScore(result=seen.name, frames=rows, damaged=seen.damaged, **counted.means())


class PictureSource:
    """The pictures of a video, of images or of an array, once, with their times.

    Iterates over (seconds or None, (H, W, 3) uint8 or uint16). name: for messages. frames, damaged:
    how many there were, and places of damage, as far as it has been read.
    Raises `InputError` for what cannot be read, `UsageError` for an array of another shape or type.
    """

    def __init__(self, pictures: VideoLike) -> None:
        self.name = "the array" if isinstance(pictures, np.ndarray) else str(pictures)
        self.frames = 0
        self.damaged = 0
        self._pictures = pictures

    def __iter__(self) -> Iterator[tuple[float | None, np.ndarray]]:
        for each in self._read(self._pictures):
            self.frames += 1
            yield each

    def _read(self, pictures: VideoLike) -> Iterator[tuple[float | None, np.ndarray]]:
        if isinstance(pictures, np.ndarray):
            return ((None, picture) for picture in _checked(pictures))
        path = Path(pictures)
        if path.is_dir():
            return ((None, read_image(each)) for each in _in_order(path))
        return self._decoded(path)

    def _decoded(self, path: Path) -> Iterator[tuple[float | None, np.ndarray]]:
        images = is_image_sequence(path)
        with open_video(path, rate=FALLBACK_RATE if images else None) as reader:
            for frame in reader:
                yield None if images else float(frame.time), frame.rgb
            self.damaged = reader.damaged
            for warning in reader.warnings:
                LOGGER.warning("%s: %s", path, warning)


def _checked(pictures: np.ndarray) -> np.ndarray:
    if pictures.dtype not in (np.uint8, np.uint16) or pictures.shape[3:] != (3,):
        raise UsageError(
            f"not a video ({pictures.dtype} of shape {pictures.shape} seen) - give uint8 or uint16 "
            "of (T, H, W, 3)"
        )
    return pictures


def _in_order(folder: Path) -> list[Path]:
    """The images of a folder: 2.png before 10.png."""
    found = images_in(folder)
    if not found:
        raise InputError(f"{folder} holds no PNG or TIFF - name a video, or a folder of images")

    def key(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", path.name)
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]

    return sorted(found, key=key)
