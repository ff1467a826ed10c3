"""Pictures that claim or unpack to far more than they are, and files that are no pictures."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from spikedeblur.errors import InputError
from spikedeblur.io.guards.limits import max_pixels
from spikedeblur.io.image_files import read_image, write_image
from spikedeblur.io.video import open_video
from spikedeblur.simulation.photos import read_photo
from tests.attacks.bombs import (
    PNG_MAGIC,
    black_png,
    deflated_zeros,
    nobody_opens,
    png_chunk,
    png_header,
)
from tests.hostile import memory_below, refused

GREY = np.full((8, 8, 3), 99, np.uint8)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A true PNG of 432 MB in as many kB."""
    return black_png(12_000, 12_000)


def test_a_picture_larger_than_the_limit(bomb: bytes, tmp_path: Path) -> None:
    path = tmp_path / "1.png"
    path.write_bytes(bomb)
    assert len(bomb) < 500_000
    with refused(InputError, "12000x12000", megabytes=20):
        read_image(path)
    with refused(InputError, "12000x12000", megabytes=20):
        read_photo(path)
    with refused(InputError, "12000x12000", megabytes=20):
        open_video(tmp_path / "%d.png")


@pytest.mark.parametrize(
    ("width", "height"),
    [(2**31 - 1, 2**31 - 1), (2**32 - 1, 2**32 - 1), (8193, 8192), (0, 5), (5, 0)],
)
def test_a_size_that_no_picture_has(width: int, height: int, tmp_path: Path) -> None:
    path = tmp_path / "1.png"
    path.write_bytes(png_header(width, height) + png_chunk(b"IDAT", b"x") + png_chunk(b"IEND", b""))
    with refused(InputError, f"{width}x{height}", megabytes=20):
        read_image(path)


def second_header(picture: bytes) -> bytes:
    """Another, larger size behind the first."""
    return picture[:33] + png_header(20_000, 20_000)[8:] + picture[33:]


def without_header(picture: bytes) -> bytes:
    """The size not where it belongs, but further back."""
    return PNG_MAGIC + png_chunk(b"tEXt", bytes(20)) + second_header(picture)[33:]


def much_data(picture: bytes) -> bytes:
    """Pixels for a thousand such pictures."""
    return picture[:33] + png_chunk(b"IDAT", os.urandom(3 << 20)) + picture[33:]


@pytest.mark.parametrize("spoil", [without_header, much_data])
def test_data_where_none_belongs(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "1.png"
    write_image(path, GREY)
    path.write_bytes(spoil(path.read_bytes()))
    with refused(InputError, "1.png", megabytes=20):
        read_image(path)


@pytest.mark.parametrize(
    "spoil",
    [
        second_header,
        lambda picture: (
            picture[:33]
            + png_chunk(b"iCCP", b"bomb\0\0" + deflated_zeros(500 << 20))
            + picture[33:]
        ),
        lambda picture: (
            picture[:33]
            + png_chunk(b"zTXt", b"bomb\0\0" + deflated_zeros(500 << 20))
            + picture[33:]
        ),
        lambda picture: picture[:33] + struct.pack(">I", 2**32 - 1) + b"zTXt" + picture[33:],
    ],
    ids=["second header", "profile", "text", "no end"],
)
def test_what_is_beside_the_picture_is_not_unpacked(
    spoil: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "1.png"
    write_image(path, GREY)
    path.write_bytes(spoil(path.read_bytes()))
    with memory_below(20):
        try:
            np.testing.assert_array_equal(read_image(path), GREY)
        except InputError as error:
            assert "1.png" in str(error)


def deflated_tiff(path: Path, shape: tuple[int, ...], content: bytes, **options: object) -> None:
    """A TIFF that says it has `shape`, its one strip or tile being `content`."""
    packed = iter([content])
    tifffile.imwrite(
        path,
        packed,
        shape=shape,
        dtype=np.uint8,
        compression="zlib",
        photometric="minisblack",
        **options,
    )


def test_a_strip_that_unpacks_to_more_than_it_is(tmp_path: Path) -> None:
    path = tmp_path / "1.tif"
    deflated_tiff(path, (64, 64), deflated_zeros(1 << 30), rowsperstrip=64)
    assert path.stat().st_size < 2_000_000
    with refused(InputError, "unpacks to more", megabytes=20):
        read_image(path)


def test_a_tile_larger_than_any_picture(tmp_path: Path) -> None:
    path = tmp_path / "1.tif"
    deflated_tiff(path, (64, 64), zlib.compress(bytes(100)), tile=(64, 64))
    with tifffile.TiffFile(path, mode="r+") as file:
        for tag in ("TileWidth", "TileLength"):
            file.pages.first.tags[tag].overwrite(1 << 20, dtype="I")
    with refused(InputError, "bytes", megabytes=20):
        read_image(path)


@pytest.mark.parametrize(
    ("compression", "options", "tag", "said"),
    [
        (None, {}, "ImageLength", "4096 bytes"),
        (None, {}, "ImageWidth", "4096 bytes"),
        ("zlib", {"rowsperstrip": 64}, "ImageLength", "1 of its 8192 parts"),
        ("zlib", {"rowsperstrip": 64}, "ImageWidth", "that it has"),
        ("zlib", {"tile": (64, 64)}, "ImageWidth", "1 of its 8192 parts"),
    ],
)
def test_a_picture_larger_than_its_file_can_hold(
    compression: str | None, options: dict[str, object], tag: str, said: str, tmp_path: Path
) -> None:
    """32 million pixels, which the limit allows, of a few bytes: not taken for black ones."""
    path = tmp_path / "1.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), compression=compression, **options)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags[tag].overwrite(1 << 19, dtype="I")
    with refused(InputError, said, megabytes=20):
        read_image(path)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("ImageWidth", 2**32 - 1),
        ("ImageLength", 2**32 - 1),
        ("SamplesPerPixel", 65_535),
        ("Compression", 34925),
        ("Compression", 50000),
        ("Compression", 7),
        ("BitsPerSample", 64),
        ("StripByteCounts", 2**32 - 1),
        ("StripOffsets", 2**32 - 1),
    ],
)
def test_headers_that_cannot_be(tag: str, value: int, tmp_path: Path) -> None:
    path = tmp_path / "1.tif"
    tifffile.imwrite(
        path,
        np.zeros((64, 64), np.uint8),
        photometric="minisblack",
        extratags=[(34665, "I", 1, 0, True)],
        rowsperstrip=64,
    )
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages.first.tags
        tags[tag].overwrite(value, dtype="H" if value < 65536 else "I")
    with refused(InputError, "1.tif", megabytes=20):
        read_image(path)


def test_parts_that_lie_on_each_other(tmp_path: Path) -> None:
    """Each of the strips is the whole file: a thousand times what was read."""
    path = tmp_path / "1.tif"
    tifffile.imwrite(path, np.zeros((1000, 64), np.uint8), photometric="minisblack", rowsperstrip=1)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["StripByteCounts"].overwrite([path.stat().st_size] * 1000, dtype="I")
    with refused(InputError, "overlap", megabytes=20):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_is_no_file_is_not_waited_for(suffix: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"1{suffix}")
    (tmp_path / f"2{suffix}").mkdir()
    for number in (1, 2):
        with refused(InputError, f"{number}{suffix}"):
            read_image(tmp_path / f"{number}{suffix}")
    (tmp_path / f"3{suffix}").symlink_to("/dev/zero")
    with refused(InputError, "device"):
        read_image(tmp_path / f"3{suffix}")


def test_a_photograph_that_is_a_playlist(tmp_path: Path) -> None:
    """FFmpeg, asked what the file is, would open the pictures that it names."""
    secret = tmp_path / "secret.png"
    write_image(secret, GREY)
    for text in (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {secret}\n",
    ):
        path = tmp_path / "photo.jpg"
        path.write_text(text)
        with nobody_opens(secret), refused(InputError, "neither PNG nor JPEG"):
            read_photo(path)


def test_a_name_that_is_a_pattern_is_one_file(tmp_path: Path) -> None:
    """As a pattern it would stand for photo1.png."""
    write_image(tmp_path / "photo1.png", GREY)
    write_image(tmp_path / "photo%d.png", 2 * GREY)
    assert (read_photo(tmp_path / "photo%d.png") == 198).all()


def test_the_limit_is_what_the_design_page_says() -> None:
    assert max_pixels() == 67_108_864
