"""Choosing the pixel format of an encoder that loses least of the input."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import av
from av.video.format import names as FORMATS  # type: ignore[attr-defined]

from spikedeblur.errors import UsageError
from spikedeblur.io.colour_tags import PixelLayout
from spikedeblur.io.video_info import VideoInfo

# These refuse frames whose size is not a multiple of the chroma subsampling.
_EVEN_ONLY = frozenset({"libx264", "libx264rgb", "libx265", "libvpx"})

_Y4M_FORMATS = [
    *("yuv420p", "yuv422p", "yuv444p", "gray", "gray16le"),
    *(f"yuv{chroma}p{bits}le" for bits in (10, 12, 16) for chroma in (420, 422, 444)),
]


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about `name`: the most similar names that exist."""
    close = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" - the nearest are {', '.join(close)}" if close else " - see ffmpeg's documentation"


def formats_taken(encoder: av.Codec, container: str = "") -> list[str]:
    """Those it takes. Those of hardware, such as cuda, have no components: such frames are not in
    memory.
    """
    if container == "yuv4mpegpipe":
        return _Y4M_FORMATS
    return [pixel.name for pixel in encoder.video_formats or () if pixel.components]


def choose_pixel_format(
    wanted: str, info: VideoInfo, codec: str, supported: list[str], warnings: list[str]
) -> str:
    """The pixel format `wanted`, or for "auto" the one in which least of `info` is lost.

    supported: those of the encoder `codec`. warnings: what is lost is added.
    Raises `UsageError` for a format that the encoder or the size of the video does not allow.
    """
    source, size = PixelLayout.of(info.pix_fmt), (info.width, info.height)
    if wanted != "auto":
        if wanted not in FORMATS:
            raise UsageError(f"there is no pixel format '{wanted}'{nearest(wanted, FORMATS)}")
        if wanted not in supported:
            raise UsageError(
                f"{codec} cannot encode the pixel format '{wanted}'" + nearest(wanted, supported)
            )
        if not _fits(PixelLayout.of(wanted), codec, size):
            raise UsageError(
                f"{codec} needs an even size for {wanted} (got {size[0]}x{size[1]}) - "
                "choose yuv444p, or --codec ffv1"
            )
        chosen = PixelLayout.of(wanted)
    else:
        layouts = [PixelLayout.of(name) for name in supported]
        usable = [each for each in layouts if not each.alpha and _fits(each, codec, size)]
        if not usable:
            raise UsageError(
                f"{codec} has no pixel format for {size[0]}x{size[1]} - choose another --codec"
            )
        chosen = min(usable, key=lambda each: _loss(source, each))
        odd = size[0] % source.chroma_x or size[1] % source.chroma_y
        if odd and (chosen.chroma_x, chosen.chroma_y) < (source.chroma_x, source.chroma_y):
            warnings.append(
                f"{codec} cannot hold {source.name} at the odd size "
                f"{size[0]}x{size[1]}: {chosen.name} is written"
            )
    if chosen.depth < source.depth:
        warnings.append(f"{source.depth} bits are reduced to {chosen.depth} ({chosen.name})")
        if info.colour.hdr:
            warnings.append(f"HDR ({info.colour.hdr}) in {chosen.depth} bits shows banding")
    if source.family != "gray" and (
        chosen.chroma_x > source.chroma_x or chosen.chroma_y > source.chroma_y
    ):
        warnings.append(f"colour resolution is reduced from {source.name} to {chosen.name}")
    return chosen.name


def _fits(layout: PixelLayout, codec: str, size: tuple[int, int]) -> bool:
    """Return whether a pixel format fits frames of `size`: integers, whole chroma samples."""
    if layout.depth > 16 or "f16" in layout.name or "f32" in layout.name or layout.name == "pal8":
        return False
    if codec == "mjpeg":  # whose limited range is not standard
        return layout.full_range
    if codec not in _EVEN_ONLY:
        return True
    if layout.family == "gray":  # which decoders return as 4:2:0, of limited range
        return False
    return size[0] % layout.chroma_x == 0 and size[1] % layout.chroma_y == 0


def _loss(source: PixelLayout, other: PixelLayout) -> tuple[int, ...]:
    """Order pixel formats by what they lose of `source`, then by what they hold in vain."""
    gray = source.family == "gray"
    across = other.chroma_x - (2 if gray else source.chroma_x)
    down = other.chroma_y - (2 if gray else source.chroma_y)
    lost_chroma = max(across, 0) + max(down, 0)
    spare_chroma = abs(across) + abs(down)
    return (
        other.family != source.family,
        other.family == "gray",
        max(source.depth - other.depth, 0),
        lost_chroma,
        max(other.depth - source.depth, 0),
        spare_chroma,
        other.full_range != source.full_range,
        other.name != source.name,
        not other.name.startswith(("yuv", "gray", "gbr")),
    )
