"""One door to every kind of video: files and image sequences."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from spikedeblur.io.ffmpeg.reader import VideoReader
from spikedeblur.io.ffmpeg.writer import VideoWriter
from spikedeblur.io.images import ImageSequenceReader, ImageSequenceWriter, is_image_sequence
from spikedeblur.io.video_info import VideoInfo

Reader = VideoReader | ImageSequenceReader
Writer = VideoWriter | ImageSequenceWriter


def open_video(
    path: Path | str,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    strict: bool = False,
    max_pixels: int | None = None,
    colorspace: str | None = None,
    threads: int = 1,
    rate: Fraction | None = None,
) -> Reader:
    """Open a video file, or an image sequence (`frames/%05d.png`) shown at `rate` per second.

    The arguments are those of `VideoReader.open`; `rate` is for images only (default 25).
    """
    if is_image_sequence(path):
        return ImageSequenceReader(path, rate=rate, start=start, end=end, max_pixels=max_pixels)
    return VideoReader.open(
        path,
        start=start,
        end=end,
        strict=strict,
        max_pixels=max_pixels,
        colorspace=colorspace,
        threads=threads,
    )


def create_video(
    path: Path | str,
    source: VideoInfo,
    *,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    pix_fmt: str = "auto",
    encoder_options: Mapping[str, str] | None = None,
    audio: bool = True,
    subtitles: bool = True,
    width: int | None = None,
    height: int | None = None,
    time_base: Fraction | None = None,
    overwrite: bool = False,
) -> Writer:
    """Create a video file, or an image sequence, for frames like those of `source`.

    The path `-` is standard output (Matroska).

    The arguments are those of `VideoWriter`; an image sequence has no use for the encoder's.
    """
    if is_image_sequence(path):
        return ImageSequenceWriter(path, source, width=width, height=height, overwrite=overwrite)
    return VideoWriter(
        path,
        source,
        codec=codec,
        crf=crf,
        preset=preset,
        pix_fmt=pix_fmt,
        encoder_options=encoder_options,
        audio=audio,
        subtitles=subtitles,
        width=width,
        height=height,
        time_base=time_base,
        overwrite=overwrite,
    )
