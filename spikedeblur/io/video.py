"""One door to every kind of video: files and image sequences."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from spikedeblur.io.animated_webp import AnimatedWebPReader
from spikedeblur.io.ffmpeg.encoders import AS_INPUT, EncoderSettings
from spikedeblur.io.ffmpeg.reader import VideoReader, check_span
from spikedeblur.io.ffmpeg.writer import VideoWriter
from spikedeblur.io.image_names import is_image_sequence, named_sequence
from spikedeblur.io.image_notes import is_animated
from spikedeblur.io.images import ImageSequenceReader, ImageSequenceWriter
from spikedeblur.io.pictures import Pictures
from spikedeblur.io.region import REGION_STEP, RegionReader, WholeReader
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.io.webp_parts import is_animated_webp
from spikedeblur.quantities import Region

Reader = WholeReader | RegionReader
VideoSource = Path | Pictures
"""What can be opened as a video: a file, images, or pictures in memory."""
Writer = VideoWriter | ImageSequenceWriter


@dataclass(frozen=True)
class VideoSelection:
    """The part of a video to read, and what its file does not say of it.

    start, end: seconds on the video's clock. rate: frames per second of images. colorspace: the
    matrix the colours were made with (bt601, bt709, ...), in place of the tag. region: the part of
    each picture that is wanted, as it is stored, before any rotation; more is read around
    it, up to lines of a grid (`RegionReader`).
    """

    start: Fraction | None = None
    end: Fraction | None = None
    rate: Fraction | None = None
    colorspace: str | None = None
    region: Region | None = None
    grid: tuple[int, int] = (REGION_STEP, REGION_STEP)

    def __post_init__(self) -> None:
        check_span(self.start, self.end)

    def open(self, path: VideoSource | str, *, strict: bool = False) -> Reader:
        """Open a video for this. strict: damage is an error."""
        reader = open_video(
            path,
            start=self.start,
            end=self.end,
            rate=self.rate,
            colorspace=self.colorspace,
            strict=strict,
        )
        return self._cut(reader)

    def open_at(self, path: VideoSource | str, start: Fraction) -> Reader:
        """Open a video to look at it in passing: at the key frame at or before `start` seconds.

        Of images, at `start` itself.
        """
        reader: WholeReader
        if isinstance(path, Pictures):
            reader = path.opened(start)
        elif is_image_sequence(path := named_sequence(Path(path))):
            reader = ImageSequenceReader(path, rate=self.rate, start=start, end=None)
        elif is_animated_webp(path):
            reader = AnimatedWebPReader(path, start=start)
        else:
            reader = VideoReader(path, start=start, colorspace=self.colorspace, from_key=True)
        return self._cut(reader)

    def _cut(self, reader: WholeReader) -> Reader:
        if self.region is None:
            return reader
        return RegionReader(reader, self.region, self.grid, self.colorspace)


def open_video(
    path: VideoSource | str,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    strict: bool = False,
    max_pixels: int | None = None,
    colorspace: str | None = None,
    threads: int = 1,
    rate: Fraction | None = None,
) -> WholeReader:
    """Open a video file, or an image sequence (`frames/%05d.png`) shown at `rate` per second.

    A sequence may be named by its folder or a glob, too.
    The arguments are those of `VideoReader.open`; `rate` is for images only (default 25).
    """
    if isinstance(path, Pictures):
        return path.opened(start, end)
    path = named_sequence(Path(path))
    if is_image_sequence(path) and not is_animated(path):
        return ImageSequenceReader(path, rate=rate, start=start, end=end, max_pixels=max_pixels)
    if is_animated_webp(path):
        return AnimatedWebPReader(path, start=start, end=end, strict=strict, max_pixels=max_pixels)
    return VideoReader.open(
        path,
        start=start,
        end=end,
        strict=strict,
        max_pixels=max_pixels,
        colorspace=colorspace,
        threads=threads,
    )


def unused_rate(path: VideoSource, rate: Fraction | None) -> list[str]:
    """Say that the rate of images is not used where a video has times of its own."""
    if rate is None or isinstance(path, Pictures) or not path.exists():
        return []
    if is_image_sequence(named_sequence(path)) and not is_animated(path):
        return []
    return [
        f"{path} has times of its own, which are used; a rate is of images alone "
        f"(--fps {float(rate):g} seen) - leave it out"
    ]


def create_video(
    path: Path | str,
    source: VideoInfo,
    settings: EncoderSettings = AS_INPUT,
    *,
    overwrite: bool = False,
) -> Writer:
    """Create a video file, or an image sequence, for frames like those of `source`.

    The path `-` is standard output (Matroska). An image sequence has no use for the settings.
    """
    if is_image_sequence(path):
        return ImageSequenceWriter(path, source, overwrite=overwrite)
    return VideoWriter(path, source, settings, overwrite=overwrite)
