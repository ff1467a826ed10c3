"""Image sequences: exact in PNG and TIFF, checked against tifffile and a hand-made PNG."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tifffile

from spikedeblur.errors import InputError, OutputError, UsageError
from spikedeblur.io.image_files import read_image, read_with_alpha, write_image
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo


def noise(dtype: type, count: int = 3) -> np.ndarray:
    """(count, 21, 33, 3) of every value."""
    return (
        np.random.default_rng(1)
        .integers(0, np.iinfo(dtype).max + 1, (count, 21, 33, 3))
        .astype(dtype)
    )


def png(pixels: np.ndarray) -> bytes:
    """A PNG by the letter of its specification: filter 0, big-endian samples."""
    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    bits = 8 * pixels.itemsize
    rows = b"".join(b"\0" + row.astype(pixels.dtype.newbyteorder(">")).tobytes() for row in pixels)

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_images_of_every_kind_are_read(
    suffix: str, channels: int, dtype: type, tmp_path: Path
) -> None:
    pixels = (
        np.random.default_rng(0)
        .integers(0, np.iinfo(dtype).max + 1, (11, 17, channels))
        .astype(dtype)
    )
    path = tmp_path / f"x{suffix}"
    if suffix == ".png":
        path.write_bytes(png(pixels))
    else:
        tifffile.imwrite(
            path,
            pixels,
            photometric="rgb" if channels > 2 else "minisblack",
            **({"planarconfig": "contig"} if channels > 1 else {}),
        )
    expected = pixels[..., :3] if channels > 2 else np.repeat(pixels[..., :1], 3, axis=2)
    np.testing.assert_array_equal(read_image(path), expected)
    alpha = read_with_alpha(path)[1]
    assert (alpha is not None) == (channels in (2, 4)) or suffix == ".tif"
    if alpha is not None:
        np.testing.assert_array_equal(alpha, pixels[..., -1])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_sequence_comes_back_exactly(suffix: str, dtype: type, tmp_path: Path) -> None:
    images = noise(dtype)
    for number, image in enumerate(images):
        write_image(tmp_path / f"{number + 7:04d}{suffix}", image)
    (tmp_path / "out").mkdir()
    with (
        open_video(tmp_path / f"%04d{suffix}", rate=Fraction(30)) as reader,
        create_video(tmp_path / "out" / f"%03d{suffix}", reader.info) as writer,
    ):
        assert reader.info.frame_count_estimate == 3
        for frame in reader:
            assert frame.time == Fraction(frame.index, 30) and frame.interval == Fraction(1, 30)
            writer.write(frame)
    names = [f"{number:03d}{suffix}" for number in (7, 8, 9)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    for name, image in zip(names, images, strict=True):
        np.testing.assert_array_equal(read_image(tmp_path / "out" / name), image)


def test_a_tiff_is_what_tifffile_reads(tmp_path: Path) -> None:
    image = noise(np.uint16)[0]
    write_image(tmp_path / "x.tif", image)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "x.tif"), image)


def test_start_and_end_choose_images_by_time(tmp_path: Path) -> None:
    for number, image in enumerate(noise(np.uint8, 5)):
        write_image(tmp_path / f"{number}.png", image)
    with open_video(
        tmp_path / "%d.png", rate=Fraction(10), start=Fraction(1, 10), end=Fraction(3, 10)
    ) as reader:
        assert [frame.pts for frame in reader] == [1, 2]


def test_an_assumed_rate_is_said(tmp_path: Path) -> None:
    write_image(tmp_path / "1.png", noise(np.uint8)[0])
    with open_video(tmp_path / "%d.png") as reader:
        assert "25 per second" in reader.warnings[0]


def test_a_gap_a_change_and_nothing_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image matches"):
        open_video(tmp_path / "%d.png")
    write_image(tmp_path / "1.png", noise(np.uint8)[0])
    write_image(tmp_path / "2.png", noise(np.uint8)[0][:, :20])
    with pytest.raises(InputError, match="20x21"), open_video(tmp_path / "%d.png") as reader:
        list(reader)
    write_image(tmp_path / "4.png", noise(np.uint8)[0])
    with pytest.raises(InputError, match=r"missing \(3; 1 to 4"):
        open_video(tmp_path / "%d.png")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_damaged_and_oversized_images_are_errors(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"1{suffix}"
    write_image(path, noise(np.uint8)[0])
    with pytest.raises(InputError, match="33x21"):
        read_image(path, max_pixels=100)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=str(path)):
        read_image(path)
    path.write_bytes(b"text")
    with pytest.raises(InputError, match=str(path)):
        read_image(path)


def test_a_sequence_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    info = VideoInfo.synthetic(33, 21, 25)
    with open_video(_one(tmp_path)) as reader:
        frame = next(iter(reader))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RuntimeError), create_video(out / "%d.png", info) as writer:
        writer.write(frame)
        raise RuntimeError
    assert list(out.iterdir()) == []
    with create_video(out / "%d.png", info) as writer:
        writer.write(frame)
    with pytest.raises(OutputError, match="-y"):
        create_video(out / "%d.png", info)
    with (
        pytest.raises(UsageError, match="several frames"),
        create_video(out / "one.png", info) as writer,
    ):
        writer.write(frame)
        writer.write(frame)


def _one(folder: Path) -> Path:
    write_image(folder / "one.png", noise(np.uint8)[0])
    return folder / "one.png"


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("%03d%s.png", "001%s.png"),
        ("%d%%%n.tif", "1%%%n.tif"),
        ("a%0d%d.png", "a1%d.png"),
        ("%0999999999d.png", "%0999999999d.png"),
    ],
)
def test_percent_signs_in_names_are_no_programs(pattern: str, name: str, tmp_path: Path) -> None:
    info = VideoInfo.synthetic(33, 21, 25)
    with create_video(tmp_path / pattern, info) as writer:
        writer.write(VideoFrame(0, 0, Fraction(1, 25), 1, Fraction(1, 25), noise(np.uint8)[0]))
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
