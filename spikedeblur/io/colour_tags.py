"""Colour tags of a file, and the capacity of pixel formats."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import av

from spikedeblur.vocabulary import COLOUR_MATRICES

UNSPECIFIED = 2
RGB_MATRIX = 0
LIMITED, FULL = 1, 2
HD_ROWS = 720

# Luma weights (Kr, Kb) of the matrix codes of ITU-T H.273, table 4.
LUMA_WEIGHTS: dict[int, tuple[float, float]] = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
MATRIX_CODES = dict(COLOUR_MATRICES)
_MATRIX_NAMES = {code: name for name, code in MATRIX_CODES.items()} | {5: "bt601", 10: "bt2020"}
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class ColourTags:
    """The four colour descriptions of a video, as the codes of ITU-T H.273 that the file holds."""

    matrix: int = UNSPECIFIED
    range: int = 0
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @property
    def hdr(self) -> str | None:
        """The name of the high dynamic range transfer function, if the video has one."""
        return HDR_TRANSFERS.get(self.transfer)


@dataclass(frozen=True)
class PixelLayout:
    """The capacity of a pixel format: its family, bits a sample, and chroma subsampling."""

    name: str
    family: str  # "rgb", "yuv" or "gray"
    depth: int
    chroma_x: int  # luma samples per chroma sample, horizontally
    chroma_y: int
    alpha: bool
    full_range: bool  # the yuvj formats are full range by name

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, name: str) -> PixelLayout:
        """Describe the pixel format FFmpeg calls `name`; `ValueError` when it has none."""
        pixel = av.VideoFormat(name, 64, 64)
        colours = [part for part in pixel.components if not part.is_alpha]
        if pixel.is_rgb or pixel.has_palette or pixel.is_bayer or name.startswith("xyz"):
            family = "rgb"
        else:
            family = "yuv" if len(colours) >= 3 else "gray"
        bits = [part.bits for part in colours]
        # Of a Bayer mosaic FFmpeg shares the bits of a sample out among the colours.
        depth = 8 if pixel.has_palette else (sum(bits) if pixel.is_bayer else max(bits))
        chroma = family == "yuv"
        return cls(
            name=name,
            family=family,
            depth=depth,
            chroma_x=64 // pixel.chroma_width() if chroma else 1,
            chroma_y=64 // pixel.chroma_height() if chroma else 1,
            alpha=any(part.is_alpha for part in pixel.components),
            full_range=name.startswith("yuvj"),
        )


def matrix_of(tags: ColourTags, height: int, override: str | None = None) -> int:
    """The matrix code to convert with: `override`, else the tag, else by the height."""
    if override is not None:
        return MATRIX_CODES[override]
    if tags.matrix in LUMA_WEIGHTS:
        return tags.matrix
    return MATRIX_CODES["bt709" if height >= HD_ROWS else "bt601"]


def matrix_name(code: int) -> str:
    """A matrix code in words, as `--colorspace` takes it."""
    return _MATRIX_NAMES.get(code, f"matrix {code}")
