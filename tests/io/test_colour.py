"""Conversion to RGB and back, against the matrices and tables of the standards.

BARS: published code values of 100 % colour bars, limited range of 8 bits.
"""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from spikedeblur.io.colour import ColourConverter, to_uint8
from spikedeblur.io.colour_tags import ColourTags, PixelLayout, matrix_name, matrix_of

COLOURS = {
    "white": (255, 255, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "green": (0, 255, 0),
    "magenta": (255, 0, 255),
    "red": (255, 0, 0),
    "blue": (0, 0, 255),
    "black": (0, 0, 0),
}
BARS = {
    6: [
        (235, 128, 128),
        (210, 16, 146),
        (170, 166, 16),
        (145, 54, 34),
        (106, 202, 222),
        (81, 90, 240),
        (41, 240, 110),
        (16, 128, 128),
    ],
    1: [
        (235, 128, 128),
        (219, 16, 138),
        (188, 154, 16),
        (173, 42, 26),
        (78, 214, 230),
        (63, 102, 240),
        (32, 240, 118),
        (16, 128, 128),
    ],
}
# Kr, Kb of ITU-T H.273, exactly.
WEIGHTS = {
    1: (Fraction(2126, 10_000), Fraction(722, 10_000)),
    6: (Fraction(299, 1000), Fraction(114, 1000)),
    9: (Fraction(2627, 10_000), Fraction(593, 10_000)),
}


def planes(frame: av.VideoFrame) -> np.ndarray:
    """Code values of a 4:4:4 frame, (3, H, W)."""
    dtype = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    rows = [np.frombuffer(plane, dtype).reshape(plane.height, -1) for plane in frame.planes]
    return np.stack(rows)[..., : frame.width]


@pytest.mark.parametrize("matrix", BARS)
def test_colour_bars_have_the_published_codes(matrix):
    bars = np.array([list(COLOURS.values())], np.uint8)
    frame = ColourConverter(matrix, full_range=False).from_rgb(bars, "yuv444p")
    assert [tuple(codes) for codes in planes(frame)[:, 0].T.tolist()] == BARS[matrix]


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", WEIGHTS)
def test_every_code_is_the_nearest_to_the_exact_one(matrix, full_range, depth):
    """By H.273, equations 38 to 44, in fractions."""
    rgb = np.random.default_rng(matrix).integers(0, 256, (1, 40, 3)).astype(np.uint8)
    kr, kb = WEIGHTS[matrix]
    top, scale = (1 << depth) - 1, 1 << (depth - 8)
    offset, luma_span, chroma_span = (
        (0, top, top) if full_range else (16 * scale, 219 * scale, 224 * scale)
    )
    name = "yuv444p" if depth == 8 else "yuv444p10le"
    frame = ColourConverter(matrix, full_range).from_rgb(rgb, name)
    found = planes(frame)[:, 0].T
    for codes, (red, green, blue) in zip(found, rgb[0].tolist(), strict=True):
        red, green, blue = (Fraction(value, 255) for value in (red, green, blue))
        luma = kr * red + (1 - kr - kb) * green + kb * blue
        exact = (
            luma * luma_span + offset,
            (blue - luma) / (2 - 2 * kb) * chroma_span + (1 << (depth - 1)),
            (red - luma) / (2 - 2 * kr) * chroma_span + (1 << (depth - 1)),
        )
        for code, value in zip(codes.tolist(), exact, strict=True):
            assert abs(code - min(value, top)) <= Fraction(501, 1000)


@pytest.mark.parametrize("full_range", [False, True])
def test_ten_bits_bring_every_colour_of_eight_back(full_range):
    """A picture of 8 bits, kept in a video of 10, is the same when it is brought back to 8."""
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    converter = ColourConverter(1, full_range)
    back = converter.to_rgb(converter.from_rgb(rgb, "yuv444p10le"))
    assert back.dtype == np.uint16
    assert np.array_equal(to_uint8(back), rgb)


@pytest.mark.parametrize("pix_fmt", ["rgb24", "gbrp", "bgr0"])
def test_rgb_formats_hold_the_picture_itself(pix_fmt):
    rgb = np.random.default_rng(1).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    converter = ColourConverter(1, full_range=True)
    assert np.array_equal(converter.to_rgb(converter.from_rgb(rgb, pix_fmt)), rgb)


def test_a_bayer_mosaic_keeps_its_depth():
    mosaic = av.VideoFrame(16, 16, "bayer_rggb16le")
    mosaic.planes[0].update(np.full((16, 16), 0x1234, np.uint16).tobytes())
    assert (ColourConverter(1, full_range=True).to_rgb(mosaic) == 0x1234).all()


def test_eight_bits_of_sixteen_are_the_nearest():
    every = np.arange(1 << 16, dtype=np.uint16)
    exact = np.rint(every.astype(np.float64) * 255 / 65535)
    assert np.array_equal(to_uint8(every), exact)
    eight = np.arange(256, dtype=np.uint8)
    assert to_uint8(eight) is eight


@pytest.mark.parametrize(
    ("tags", "height", "override", "name"),
    [
        (ColourTags(), 719, None, "bt601"),
        (ColourTags(), 720, None, "bt709"),
        (ColourTags(matrix=9), 480, None, "bt2020"),
        (ColourTags(matrix=5), 1080, None, "bt601"),
        (ColourTags(matrix=9), 480, "bt709", "bt709"),
    ],
)
def test_the_matrix_is_the_given_one_the_tag_or_that_of_the_height(tags, height, override, name):
    assert matrix_name(matrix_of(tags, height, override)) == name


@pytest.mark.parametrize(
    ("name", "family", "depth", "chroma"),
    [
        ("yuv420p", "yuv", 8, (2, 2)),
        ("yuvj422p", "yuv", 8, (2, 1)),
        ("yuv444p12le", "yuv", 12, (1, 1)),
        ("gray10le", "gray", 10, (1, 1)),
        ("gbrap16le", "rgb", 16, (1, 1)),
        ("pal8", "rgb", 8, (1, 1)),
        ("bayer_rggb8", "rgb", 8, (1, 1)),
        ("bayer_gbrg16le", "rgb", 16, (1, 1)),
    ],
)
def test_a_pixel_format_says_what_it_holds(name, family, depth, chroma):
    layout = PixelLayout.of(name)
    assert (layout.family, layout.depth) == (family, depth)
    assert (layout.chroma_x, layout.chroma_y) == chroma
    assert layout.full_range == name.startswith("yuvj") and layout.alpha == ("gbrap" in name)


def test_high_dynamic_range_is_told_by_the_transfer_function():
    assert [ColourTags(transfer=code).hdr for code in (1, 16, 18)] == [None, "PQ", "HLG"]
