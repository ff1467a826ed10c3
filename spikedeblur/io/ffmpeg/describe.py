"""Describing an opened video, from its headers and its first decoded frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Stream

from spikedeblur.io.colour_tags import (
    FULL,
    LUMA_WEIGHTS,
    UNSPECIFIED,
    ColourTags,
    PixelLayout,
    matrix_name,
    matrix_of,
)
from spikedeblur.io.ffmpeg.clean_aperture import clean_aperture
from spikedeblur.io.ffmpeg.clock import rate_of
from spikedeblur.io.ffmpeg.containers import codec_name
from spikedeblur.io.ffmpeg.decoder import COLOUR_TAGS, Decoder
from spikedeblur.io.ffmpeg.hdr import HdrMetadata, dynamic_metadata
from spikedeblur.io.ffmpeg.matroska import FrameGeometry, frame_geometry
from spikedeblur.io.ffmpeg.side_data import lost_side_data, side_data
from spikedeblur.io.video_info import StreamSummary, VideoInfo


def describe(
    decoder: Decoder,
    first: av.VideoFrame,
    start: Fraction | None,
    end: Fraction | None,
    colorspace: str | None,
) -> VideoInfo:
    """Describe a video whose first frame is decoded. See `VideoInfo`."""
    container, stream, clock = decoder.container, decoder.stream, decoder.clock
    layout = PixelLayout.of(first.format.name)
    tags = _tags(first, decoder.colour)
    rate = rate_of(stream)
    duration = clock.stated_end
    return VideoInfo(
        width=first.width,
        height=first.height,
        time_base=clock.time_base,
        average_rate=rate,
        pix_fmt=layout.name,
        path=decoder.path.resolve(),
        container=container.format.name,
        codec=stream.codec_context.name,
        lossless=stream.codec.lossless and not stream.codec.lossy,
        video_index=stream.index,
        disposition=int(stream.disposition),
        begin=clock.begin,
        earliest=Fraction(container.start_time or 0, av.time_base),
        duration=duration,
        start=start,
        end=end,
        frame_count_estimate=_estimate(stream.frames, (clock.begin, duration), rate, start, end),
        colour=tags,
        matrix=matrix_of(tags, first.height, colorspace),
        full_range=_is_full_range(layout, tags),
        hdr=HdrMetadata.of(first),
        display_matrix=_display_matrix(first),
        rotation=first.rotation,
        sample_aspect_ratio=stream.sample_aspect_ratio or None,
        geometry=_geometry(decoder.path, container.format.name),
        streams=tuple(summarise(each) for each in container.streams),
        metadata=dict(container.metadata),
        stream_metadata=dict(stream.metadata),
    )


def _geometry(path: Path, container: str) -> FrameGeometry | None:
    if container.startswith("matroska"):
        return frame_geometry(path)
    return clean_aperture(path) if container.startswith("mov") else None


def assumptions(info: VideoInfo, first: av.VideoFrame, colorspace: str | None) -> list[str]:
    """Return a warning for each assumption about the pictures, and each loss."""
    layout = PixelLayout.of(info.pix_fmt)
    warnings = []
    if info.delay:
        warnings.append(
            f"the video begins at {float(info.begin):.3f} s, before the zero of its clock: what is "
            f"written has all its streams {float(info.delay):.3f} s later"
        )
    projection = info.geometry is not None and info.geometry.projection
    if lost := lost_side_data(first, info.stream_metadata, projection):
        warnings.append(f"what comes with the pictures is not kept: {', '.join(lost)}")
    for name in dynamic_metadata(first):
        warnings.append(f"{name} metadata, which changes from frame to frame, is not kept")
    unknown = info.colour.matrix not in LUMA_WEIGHTS and info.colour.matrix != UNSPECIFIED
    if layout.family == "yuv" and unknown and colorspace is None:
        warnings.append(
            f"colour {matrix_name(info.colour.matrix)} is not supported: it is treated "
            f"as {info.matrix_name}"
        )
    # VP8 and VP9 keep it beside the pictures, where their decoders do not look.
    beside = "1" in {
        value for key, value in info.stream_metadata.items() if key.lower() == "alpha_mode"
    }
    if (layout.alpha and info.codec != "gif") or beside:
        warnings.append(f"transparency ({info.codec if beside else layout.name}) is not kept")
    if first.interlaced_frame:
        warnings.append("the video is interlaced: its frames are treated as progressive")
    return warnings


def summarise(stream: Stream) -> StreamSummary:
    """One line about a stream."""
    return StreamSummary(
        stream.index,
        stream.type,
        codec_name(stream),
        stream.metadata.get("language"),
        stream.metadata.get("title", stream.metadata.get("name")),
    )


def _tags(frame: av.VideoFrame, container: tuple[int, ...]) -> ColourTags:
    """The frame's tags, and the container's where the frame has none."""
    unspecified = (UNSPECIFIED, 0, UNSPECIFIED, UNSPECIFIED)
    own = (int(getattr(frame, name)) for name in COLOUR_TAGS)
    return ColourTags(
        *(
            mine if mine != none else other
            for mine, none, other in zip(own, unspecified, container, strict=True)
        )
    )


def _is_full_range(layout: PixelLayout, tags: ColourTags) -> bool:
    """RGB is full; YUV by its format or tag, limited without; gray by its tag, full without."""
    if layout.family == "rgb" or layout.full_range:
        return True
    return layout.family == "gray" if tags.range == 0 else tags.range == FULL


_SLACK = Fraction(21, 20)


def _estimate(
    counted: int,
    extent: tuple[Fraction, Fraction | None],
    rate: Fraction,
    start: Fraction | None,
    end: Fraction | None,
) -> int | None:
    """Estimate the number of frames: the header's count, else time x rate."""
    begin, stated_end = extent
    if start is None and end is None and counted > 0:
        # An edit list leaves out some of those that the header counts.
        shown = Fraction(counted)
        if stated_end is not None:
            shown = max((stated_end - begin) * rate, Fraction(1))
        return counted if counted <= shown * _SLACK + 1 else round(shown)
    if stated_end is None:
        return None
    low = begin if start is None else max(start, begin)
    high = stated_end if end is None else min(end, stated_end)
    return max(round((high - low) * rate), 0)


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    matrix = side_data(frame, "DISPLAYMATRIX")
    return None if matrix is None else tuple(np.frombuffer(matrix, np.int32).tolist())
