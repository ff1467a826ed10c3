"""Writers of sharp frames: the output file and, if wished, a before-and-after view beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from spikedeblur.io.ffmpeg.segments import SegmentWriter
from spikedeblur.io.video import Writer, create_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.output.options import OutputOptions

LINE_WIDTH = 2


Create = Callable[..., Writer | SegmentWriter]


class OutputWriters:
    """The writers of one run. `warnings` is complete when the `with` block has ended.

    source: the input, as slow motion changes it; all but the pictures is copied.
    options.compare: a second file named by `comparison_path`. create: opens each writer, called as
    `create_video` is.
    """

    def __init__(
        self,
        path: Path,
        source: VideoInfo,
        options: OutputOptions,
        *,
        create: Create = create_video,
    ) -> None:
        outputs = {path: source}
        if options.compare is not None:
            width, height = source.width, source.height
            if options.compare == "side":
                width, height = (width, 2 * height) if source.shown[0] else (2 * width, height)
            outputs[comparison_path(path)] = replace(source, width=width, height=height)
        self._compare = options.compare
        self._shown = source.shown
        self.writers: list[Writer | SegmentWriter] = []
        with ExitStack() as stack:
            for each, info in outputs.items():
                writer = create(each, info, options, overwrite=options.overwrite)
                stack.enter_context(writer)
                self.writers.append(writer)
            self._stack = stack.pop_all()

    @property
    def warnings(self) -> list[str]:
        """Warnings of what the output loses of the input."""
        return self.writers[0].warnings

    def write(self, blurry: VideoFrame, sharp: VideoFrame) -> None:
        """Write a sharp frame, and the comparison with the frame it was made of."""
        self.writers[0].write(sharp)
        if self._compare is not None:
            picture = compared(self._compare, blurry.rgb, sharp.rgb, *self._shown)
            self.writers[1].write(replace(sharp, rgb=picture, alpha=None))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def check_output_settings(path: Path, source: VideoInfo, options: OutputOptions) -> list[str]:
    """Open `OutputWriters` and leave nothing; return their warnings, raise what opening raises."""
    warnings: list[str] = []
    with suppress(_EnoughSeen), OutputWriters(path, source, options) as writers:
        warnings += writers.warnings
        raise _EnoughSeen
    return warnings


class _EnoughSeen(Exception):
    """Ends a check: makes the writers remove what they began."""


def comparison_path(output: Path) -> Path:
    """The file for the before-and-after view of `output`: NAME_compare.mkv for NAME.mkv."""
    return output.with_name(f"{output.stem}_compare{output.suffix}")


def compared(
    kind: str, blurry: np.ndarray, sharp: np.ndarray, swapped: bool = False, mirrored: bool = False
) -> np.ndarray:
    """`side`: blurry | sharp, (H, 2W, 3); `split`: left half blurry, right half sharp, (H, W, 3).

    Both pictures are (H, W, 3) of one integer type. A white line marks the split. swapped,
    mirrored: how players turn them (`VideoInfo.shown`), for it is there that blurry is left.
    """
    if swapped:
        turned = compared(kind, blurry.swapaxes(0, 1), sharp.swapaxes(0, 1), mirrored=mirrored)
        return np.ascontiguousarray(turned.swapaxes(0, 1))
    if mirrored:
        return np.ascontiguousarray(compared(kind, blurry[:, ::-1], sharp[:, ::-1])[:, ::-1])
    if kind == "side":
        return np.concatenate([blurry, sharp], axis=1)
    middle = blurry.shape[1] // 2
    picture = sharp.copy()
    picture[:, :middle] = blurry[:, :middle]
    line = slice(max(middle - LINE_WIDTH // 2, 0), middle + LINE_WIDTH // 2)
    picture[:, line] = np.iinfo(sharp.dtype).max
    return picture
