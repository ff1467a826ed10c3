"""Descriptions of videos: frames, and everything that an output has to keep."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from spikedeblur.io.colour import cut_out
from spikedeblur.io.colour_tags import (
    FULL,
    RGB_MATRIX,
    ColourTags,
    PixelLayout,
    matrix_name,
    matrix_of,
)
from spikedeblur.io.ffmpeg.hdr import HdrMetadata
from spikedeblur.io.ffmpeg.matroska import FrameGeometry
from spikedeblur.io.image_notes import NO_NOTES, ImageNotes
from spikedeblur.quantities import Region

FALLBACK_RATE = Fraction(25)


@dataclass(frozen=True, eq=False)
class Decoded:
    """A frame as the decoder gave it, and the RGB that was made of it."""

    frame: av.VideoFrame
    rgb: np.ndarray

    def cut(self, region: Region) -> Decoded | None:
        """Cut a part out of both; None where the codes of one pixel are those of others, too."""
        part = cut_out(self.frame, region)
        return None if part is None else Decoded(part, self.rgb[region.slices])


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One picture and its place in time.

    `rgb` is (H, W, 3), uint8, or uint16 over the whole scale when the video has more than 8 bits.
    `pts` and `duration` count `time_base`; `interval` is the seconds until the next frame is shown.
    `exact_time` and `exact_interval` (seconds) are known where the container has rounded the times
    of a constant rate; they are for exposures, `pts` is what is written again. `decoded` is what
    the picture was made of: an encoder takes from it what RGB could not hold. Of images, `alpha` is
    their transparency, (H, W) as `rgb` is, and `notes` what else they say.
    """

    index: int
    pts: int
    time_base: Fraction
    duration: int | None
    interval: Fraction
    rgb: np.ndarray
    exact_time: Fraction | None = None
    exact_interval: Fraction | None = None
    decoded: Decoded | None = None
    alpha: np.ndarray | None = None
    notes: ImageNotes = NO_NOTES

    def cut(self, region: Region | None) -> VideoFrame:
        """Cut a part out of the picture; None leaves all of it."""
        if region is None:
            return self
        alpha = None if self.alpha is None else self.alpha[region.slices]
        decoded = self.decoded and self.decoded.cut(region)
        rgb = np.ascontiguousarray(self.rgb[region.slices])
        return replace(self, rgb=rgb, decoded=decoded, alpha=alpha)

    @property
    def time(self) -> Fraction:
        """Seconds on the video's clock at which the frame is shown."""
        return self.pts * self.time_base

    @property
    def span(self) -> tuple[Fraction, Fraction]:
        """(time, interval) in seconds that exposures are reckoned from: exact ones if known."""
        return (
            self.time if self.exact_time is None else self.exact_time,
            self.interval if self.exact_interval is None else self.exact_interval,
        )


@dataclass(frozen=True)
class StreamSummary:
    """One stream of a file, for reports."""

    index: int
    kind: str  # "video", "audio", "subtitle", "attachment" or "data"
    codec: str
    language: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class VideoInfo:
    """A video as its file describes it; also the template of the video written from it.

    `begin` and `duration` are the times, in seconds on the video's clock, at which the first frame
    begins and the last one ends by the header; `length` is what lies between. `earliest` is the
    time at which the first of all streams begins. Where the video begins before zero, which hardly
    any format can hold, everything is written `delay` seconds later.
    `start` and `end` (seconds) are the part that is read, `None` for all of it. `colour` holds the
    tags as read, `matrix` and `full_range` what is used to convert. `path` is `None` when there is
    no file whose other streams could be copied; those, and chapters, come `slower` times as late in
    what is written as in the file. `display_matrix` is FFmpeg's nine integers, `disposition` its
    flags of the video stream (default, forced, ...). `geometry` is what Matroska says of the frame
    beside it: pixel aspect, crop, projection. `region` is the part of each picture that is wanted,
    `surroundings` what is read for it, None for all; `whole_size` is the size of all. Of images,
    `first_number` is that of the first one read, `notes` what it says beside its pixels. `loops` is
    how often an animated WebP is played, 0 for ever; None where that is not known.
    """

    width: int
    height: int
    time_base: Fraction
    average_rate: Fraction
    pix_fmt: str
    path: Path | None = None
    slower: int = 1
    container: str = ""
    codec: str = ""
    lossless: bool = False
    video_index: int = 0
    disposition: int = 0
    frame_count_estimate: int | None = None
    begin: Fraction = Fraction(0)
    earliest: Fraction = Fraction(0)
    duration: Fraction | None = None
    start: Fraction | None = None
    end: Fraction | None = None
    colour: ColourTags = field(default_factory=ColourTags)
    matrix: int = 1
    full_range: bool = False
    hdr: HdrMetadata | None = None
    display_matrix: tuple[int, ...] | None = None
    rotation: int = 0
    sample_aspect_ratio: Fraction | None = None
    geometry: FrameGeometry | None = None
    first_number: int | None = None
    notes: ImageNotes = field(default_factory=ImageNotes)
    loops: int | None = None
    streams: tuple[StreamSummary, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    stream_metadata: dict[str, str] = field(default_factory=dict)
    region: Region | None = None
    surroundings: Region | None = None
    uncut_size: tuple[int, int] | None = None

    @property
    def kept(self) -> Region | None:
        """The part that is wanted of the pictures as they are read; None for all of them."""
        if self.region is None or self.surroundings is None:
            return self.region
        return self.region.within(self.surroundings)

    @property
    def written(self) -> VideoInfo:
        """The same of pictures of which nothing but the part that is wanted is left."""
        if (kept := self.kept) is None:
            return self
        return replace(self, width=kept.width, height=kept.height, region=None, surroundings=None)

    @property
    def whole_size(self) -> tuple[int, int]:
        """(width, height) of the pictures before a region was cut out of them."""
        return self.uncut_size or (self.width, self.height)

    @property
    def length(self) -> Fraction | None:
        """Seconds from the first frame to the end of the last, by the header."""
        return None if self.duration is None else max(self.duration - self.begin, Fraction(0))

    @property
    def delay(self) -> Fraction:
        """Seconds that all streams are moved by, so that none begins before zero with the video."""
        if self.begin >= 0 or (self.start is not None and self.start >= 0):
            return Fraction(0)
        first = min(self.begin, self.earliest)
        late = -first if self.start is None else -max(first, self.start)
        return self.slower * math.ceil(late / self.time_base) * self.time_base

    @property
    def skipped(self) -> int:
        """Frames before the part that is read, at the average rate."""
        if self.start is None:
            return 0
        return max(math.ceil((self.start - self.begin) * self.average_rate), 0)

    @property
    def shown(self) -> tuple[bool, bool]:
        """Turn of the picture by players: whether its columns run along what is stored as rows, and
        whether their right is where what is stored begins.
        """
        if self.display_matrix is None:
            return False, False
        across, down = self.display_matrix[0], self.display_matrix[3]
        swapped = abs(down) > abs(across)
        return swapped, (down if swapped else across) < 0

    @property
    def bit_depth(self) -> int:
        """Bits per sample."""
        return PixelLayout.of(self.pix_fmt).depth

    @property
    def matrix_name(self) -> str:
        """The matrix used, in words: bt709, bt601, bt2020, or rgb when there is none."""
        rgb = PixelLayout.of(self.pix_fmt).family == "rgb"
        return "rgb" if rgb else matrix_name(self.matrix)

    @classmethod
    def synthetic(
        cls, width: int, height: int, rate: Fraction | int, pix_fmt: str = "bgr0"
    ) -> VideoInfo:
        """Describe frames that come from no file: frame `n` has pts `n` in units of 1 / `rate`."""
        rate = Fraction(rate)
        layout = PixelLayout.of(pix_fmt)
        rgb = layout.family == "rgb"
        tags = ColourTags(matrix=RGB_MATRIX, range=FULL) if rgb else ColourTags()
        return cls(
            width=width,
            height=height,
            time_base=1 / rate,
            average_rate=rate,
            pix_fmt=pix_fmt,
            lossless=rgb,
            colour=tags,
            matrix=matrix_of(tags, height),
            full_range=rgb or layout.full_range,
        )
