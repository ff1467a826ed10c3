"""Colour without guesswork: the matrix and range of a video, and exact conversion to RGB and back.

Policy. The matrix is the one the video is tagged with; without a tag it is BT.709 from 720 rows up
and BT.601 below. The range is the tag's; untagged video is limited, untagged RGB full. The tags of
an output equal those of its input, and none are invented. Samples are handled as code values: the
transfer function (gamma, PQ, HLG) is never undone here.

swscale resamples chroma and unpacks pixel formats; the matrix itself is applied here, in float32,
because swscale scales 10-bit white to 65283 of 65535 and its dithering is not the source's.
"""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from spikedeblur.io.colour_tags import FULL, LIMITED, LUMA_WEIGHTS, PixelLayout
from spikedeblur.quantities import Region

_BAND_ROWS = 64
# Lanczos returns 4:2:0 chroma sent to 4:4:4 and back at 73 dB; bilinear only at 60 dB.
_RESAMPLING = Interpolation.LANCZOS | Interpolation.ACCURATE_RND


Beyond = tuple[np.ndarray, np.ndarray]
"""Where luma goes beyond black or white, (H, W) bool, and by how many codes, (N,) int32."""


class ColourConverter:
    """Converts decoded frames to RGB arrays, and RGB arrays to frames for an encoder.

    `matrix` is a code of `LUMA_WEIGHTS`; `full_range` says how luma and chroma codes are scaled.
    One object keeps its swscale contexts; it is not for use by two threads at once.
    """

    def __init__(self, matrix: int, full_range: bool) -> None:
        self.matrix = matrix
        self.full_range = full_range
        self._kr, self._kb = LUMA_WEIGHTS[matrix]
        self._kg = 1.0 - self._kr - self._kb
        self._scaler = VideoReformatter()

    def to_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """Return `frame` as (H, W, 3): uint8 for 8-bit video, else uint16 over 0..65535."""
        layout = PixelLayout.of(frame.format.name)
        dtype = np.uint8 if layout.depth <= 8 else np.uint16
        if layout.family == "rgb":
            target = "rgb24" if dtype is np.uint8 else "rgb48le"
            return np.ascontiguousarray(self._reformat(frame, target).to_ndarray())
        if layout.family == "gray":
            packed = self._reformat(frame, _gray_format(layout.depth))
            luma = _planes(packed)[0].astype(np.float32)
            gray = self._unscale_luma(luma, layout.depth)
            return np.repeat(_quantise(gray, dtype)[..., None], 3, axis=2)
        planes = _planes(self._reformat(frame, _yuv444_format(layout.depth)))
        rgb = np.empty((*planes[0].shape, 3), dtype)
        for band in _bands(rgb.shape[0]):
            self._band_to_rgb([plane[band] for plane in planes], layout.depth, rgb[band])
        return rgb

    def beyond(self, frame: av.VideoFrame, rgb: np.ndarray) -> Beyond | None:
        """The luma of limited range that `rgb`, made of `frame`, has lost: whiter than white and
        blacker than black. None where there is none, and for formats whose first plane is not luma.
        """
        layout = PixelLayout.of(frame.format.name)
        if layout.family == "rgb" or self.full_range or not _has_luma_plane(frame):
            return None
        luma = _planes(frame)[0]
        low, span = self._luma_scale(layout.depth)
        if luma.min() >= low and luma.max() <= low + span:
            return None
        where = (luma < low) | (luma > low + span)
        seen = np.empty((1, int(where.sum())), luma.dtype)
        self._band_from_rgb(rgb[where][None], layout.depth, [seen])
        return where, luma[where].astype(np.int32) - seen[0]

    def from_rgb(
        self, rgb: np.ndarray, pix_fmt: str, beyond: Beyond | None = None
    ) -> av.VideoFrame:
        """Return `rgb` (H, W, 3), uint8 or uint16 over its whole scale, as a `pix_fmt` frame.

        beyond: what is to be added to the luma codes.
        """
        layout = PixelLayout.of(pix_fmt)
        if layout.family == "rgb":
            name = "rgb24" if rgb.dtype == np.uint8 else "rgb48le"
            packed = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format=name)
            return self._reformat(packed, pix_fmt)
        gray = layout.family == "gray"
        whole = _gray_format(layout.depth) if gray else _yuv444_format(layout.depth)
        height, width = rgb.shape[:2]
        frame = av.VideoFrame(width, height, whole)
        planes = _planes(frame)
        for band in _bands(height):
            self._band_from_rgb(rgb[band], layout.depth, [plane[band] for plane in planes])
        if beyond is not None:
            where, more = beyond
            highest = (1 << layout.depth) - 1
            planes[0][where] = np.clip(planes[0][where] + more, 0, highest)
        return self._reformat(frame, pix_fmt)

    def _band_to_rgb(self, planes: list[np.ndarray], depth: int, out: np.ndarray) -> None:
        luma = self._unscale_luma(planes[0].astype(np.float32), depth)
        middle, span = np.float32(1 << (depth - 1)), np.float32(self._chroma_span(depth))
        blue = (planes[1].astype(np.float32) - middle) / span
        red = (planes[2].astype(np.float32) - middle) / span
        to_red, to_blue = 2 * (1 - self._kr), 2 * (1 - self._kb)
        green = luma - np.float32(to_blue * self._kb / self._kg) * blue
        green -= np.float32(to_red * self._kr / self._kg) * red
        out[..., 0] = _quantise(luma + np.float32(to_red) * red, out.dtype)
        out[..., 1] = _quantise(green, out.dtype)
        out[..., 2] = _quantise(luma + np.float32(to_blue) * blue, out.dtype)

    def _band_from_rgb(self, rgb: np.ndarray, depth: int, planes: list[np.ndarray]) -> None:
        peak = np.float32(np.iinfo(rgb.dtype).max)
        red, green, blue = (rgb[..., channel].astype(np.float32) / peak for channel in range(3))
        luma = np.float32(self._kr) * red + np.float32(self._kg) * green
        luma += np.float32(self._kb) * blue
        offset, span = self._luma_scale(depth)
        highest = (1 << depth) - 1
        _store(planes[0], luma * np.float32(span) + np.float32(offset), highest)
        if len(planes) < 3:
            return
        middle, chroma = np.float32(1 << (depth - 1)), self._chroma_span(depth)
        _store(planes[1], (blue - luma) * np.float32(chroma / (2 - 2 * self._kb)) + middle, highest)
        _store(planes[2], (red - luma) * np.float32(chroma / (2 - 2 * self._kr)) + middle, highest)

    def _unscale_luma(self, luma: np.ndarray, depth: int) -> np.ndarray:
        offset, span = self._luma_scale(depth)
        return (luma - np.float32(offset)) / np.float32(span)

    def _luma_scale(self, depth: int) -> tuple[int, int]:
        """Offset and span of luma codes (ITU-R BT.2100, table 9)."""
        if self.full_range:
            return 0, (1 << depth) - 1
        return 16 << (depth - 8), 219 << (depth - 8)

    def _chroma_span(self, depth: int) -> int:
        return (1 << depth) - 1 if self.full_range else 224 << (depth - 8)

    def _reformat(self, frame: av.VideoFrame, pix_fmt: str) -> av.VideoFrame:
        """Change the layout of `frame`, never its matrix or its range."""
        span = FULL if self.full_range else LIMITED
        if PixelLayout.of(pix_fmt).family == "rgb":
            span = FULL
        code = self.matrix
        # threads=1: for small frames swscale's own threads cost seventeen times their work.
        return self._scaler.reformat(
            frame,
            format=pix_fmt,
            src_colorspace=code,
            dst_colorspace=code,
            src_color_range=span,
            dst_color_range=span,
            interpolation=_RESAMPLING,
            threads=1,
        )


def copied(frame: av.VideoFrame) -> av.VideoFrame:
    """The same picture without what came with it, such as its kind of frame, which an encoder
    would take for an order.
    """
    copy = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for old, new in zip(frame.planes, copy.planes, strict=True):
        rows = np.frombuffer(memoryview(old), np.uint8).reshape(old.height, -1)
        into = np.frombuffer(memoryview(new), np.uint8).reshape(new.height, -1)
        width = min(rows.shape[1], into.shape[1])
        into[:, :width] = rows[:, :width]
    return copy


def cut_out(frame: av.VideoFrame, region: Region) -> av.VideoFrame | None:
    """A part of the picture, by its codes; None where it would cut samples of colour, or where
    planes are not of one component each.
    """
    parts = frame.format.components
    if frame.format.has_palette or sorted(each.plane for each in parts) != list(range(len(parts))):
        return None
    across, down = 64 // frame.format.chroma_width(64), 64 // frame.format.chroma_height(64)
    if region.left % across or region.top % down:
        return None
    part = av.VideoFrame(region.width, region.height, frame.format.name)
    whole = frame.width, frame.height
    for old, new in zip(_planes(frame), _planes(part), strict=True):
        left = region.left if old.shape[1] == whole[0] else region.left // across
        top = region.top if old.shape[0] == whole[1] else region.top // down
        new[...] = old[top : top + new.shape[0], left : left + new.shape[1]]
    return part


def _has_luma_plane(frame: av.VideoFrame) -> bool:
    """Return whether the first plane is luma in its lowest bits: no packed formats, no P010."""
    luma = frame.format.components[0]
    name = frame.format.name
    return (
        luma.plane == 0
        and name.startswith(("yuv4", "yuva4", "gray", "nv12", "nv21"))
        and (frame.planes[0].line_size >= frame.width)
    )


def _yuv444_format(depth: int) -> str:
    return "yuv444p" if depth <= 8 else f"yuv444p{depth}le"


def _gray_format(depth: int) -> str:
    return "gray" if depth <= 8 else f"gray{depth}le"


def _bands(rows: int) -> list[slice]:
    """Row slices small enough that a band's temporaries stay in the processor's cache."""
    return [slice(top, min(top + _BAND_ROWS, rows)) for top in range(0, rows, _BAND_ROWS)]


def _planes(frame: av.VideoFrame) -> list[np.ndarray]:
    """Views of the planes of `frame`, each (rows, columns) without the padding."""
    dtype = np.dtype(np.uint8 if frame.format.components[0].bits <= 8 else np.uint16)
    return [
        np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes
    ]


def to_uint8(rgb: np.ndarray) -> np.ndarray:
    """Round uint8 or uint16 over the whole scale to uint8."""
    return rgb if rgb.dtype == np.uint8 else ((rgb.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _quantise(values: np.ndarray, dtype: np.dtype | type) -> np.ndarray:
    """Round [0, 1] floats to the whole scale of `dtype`, clipping what lies outside."""
    peak = np.float32(np.iinfo(dtype).max)
    return np.clip(values * peak + np.float32(0.5), 0, peak).astype(dtype)


def _store(plane: np.ndarray, values: np.ndarray, highest: int) -> None:
    plane[...] = np.clip(values + np.float32(0.5), 0, highest).astype(plane.dtype)
