"""A part of each picture of a video, read with what a restoration needs around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from spikedeblur.errors import UsageError
from spikedeblur.io.animated_webp import AnimatedWebPReader
from spikedeblur.io.colour_tags import matrix_of
from spikedeblur.io.ffmpeg.reader import VideoReader
from spikedeblur.io.images import ImageSequenceReader
from spikedeblur.io.pictures import Pictures
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.quantities import Region

WholeReader = VideoReader | ImageSequenceReader | Pictures | AnimatedWebPReader
"""What reads whole pictures."""
REGION_MARGIN = 32
"""Pixels that are read around a region: what lies farther changes nothing one can see in it."""
REGION_STEP = 16
"""Its sides are moved to multiples of it, as those of the network's tiles are."""


class RegionReader:
    """The frames of `reader`, each cut to the surroundings of `region`.

    `info.kept` is the region in these pictures; everything else of the video is as it is there.
    grid: steps across and down, in pixels, that the sides of the surroundings are multiples of.
    colorspace: the matrix of the video's colours where its tag is not believed.
    Raises `UsageError`, and closes `reader`, if the region is not within its frames.
    """

    def __init__(
        self,
        reader: WholeReader,
        region: Region,
        grid: tuple[int, int] = (REGION_STEP, REGION_STEP),
        colorspace: str | None = None,
    ) -> None:
        self._reader = reader
        whole = reader.info
        size = whole.width, whole.height
        try:
            region.check_within(*size)
        except UsageError:
            reader.close()
            raise
        around = region.widened(REGION_MARGIN, grid, size)
        self._cut = None if around == Region(*size) else around
        # Without a tag players go by the height, which is another one in what is written.
        matrix = matrix_of(whole.colour, region.height, colorspace)
        self._same_codes = matrix == whole.matrix
        self.info = replace(
            whole,
            width=around.width,
            height=around.height,
            matrix=matrix,
            geometry=None,  # its crop and display size are those of the whole
            region=region,
            surroundings=self._cut,
            uncut_size=size,
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
        for frame in self._reader:
            part = frame.cut(self._cut)
            yield part if self._same_codes else replace(part, decoded=None)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
