"""A part of each picture of a video, read as if there were no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from spikedeblur.errors import UsageError
from spikedeblur.io.colour_tags import matrix_of
from spikedeblur.io.ffmpeg.reader import VideoReader
from spikedeblur.io.images import ImageSequenceReader
from spikedeblur.io.pictures import Pictures
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.quantities import Region


class RegionReader:
    """The frames of `reader`, each cut to `region`; everything else of the video is as it is there.

    colorspace: the matrix of the video's colours where its tag is not believed.
    Raises `UsageError`, and closes `reader`, if the region is not within its frames.
    """

    def __init__(
        self,
        reader: VideoReader | ImageSequenceReader | Pictures,
        region: Region,
        colorspace: str | None = None,
    ) -> None:
        self._reader = reader
        self._region = region
        whole = reader.info
        try:
            region.check_within(whole.width, whole.height)
        except UsageError:
            reader.close()
            raise
        self.info = replace(
            whole,
            width=region.width,
            height=region.height,
            # Without a tag players go by the height, which is another one now.
            matrix=matrix_of(whole.colour, region.height, colorspace),
            geometry=None,  # its crop and display size are those of the whole
            region=region,
            uncut_size=(whole.width, whole.height),
        )

    @property
    def path(self) -> Path:
        """The file, or the pattern of images."""
        return self._reader.path

    @property
    def damaged(self) -> int:
        """Corrupt packets and frames so far."""
        return self._reader.damaged

    @property
    def warnings(self) -> list[str]:
        """Warnings about the video, as far as it has been read."""
        return self._reader.warnings

    def __enter__(self) -> Self:
        self._reader.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[VideoFrame]:
        region = self._region
        rows = slice(region.top, region.top + region.height)
        columns = slice(region.left, region.left + region.width)
        for frame in self._reader:
            alpha = None if frame.alpha is None else frame.alpha[rows, columns]
            rgb = np.ascontiguousarray(frame.rgb[rows, columns])
            yield replace(frame, rgb=rgb, alpha=alpha)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
