"""Images keep their numbers, and what they say beside their pixels, or it is said."""

from __future__ import annotations

import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import tifffile

from spikedeblur.errors import UsageError
from spikedeblur.io.image_files import png_bytes, read_image, read_with_alpha
from spikedeblur.io.image_notes import image_notes, is_animated, with_chunks
from spikedeblur.io.images import ImageSequenceWriter
from spikedeblur.io.video import create_video, open_video
from tests.io.clips import Clip, make_clip, pass_through

RGB = np.random.default_rng(3).integers(0, 256, (16, 24, 3), np.uint8)


def chunk(kind: bytes, body: bytes) -> bytes:
    """By the PNG specification."""
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


GAMMA = chunk(b"gAMA", (45455).to_bytes(4, "big"))
PROFILE = chunk(b"iCCP", b"wide\0\0" + zlib.compress(b"a profile" * 50))
RESOLUTION = chunk(b"pHYs", (11811).to_bytes(4, "big") * 2 + b"\1")
AUTHOR = chunk(b"tEXt", b"Author\0Ann")
NOTES = GAMMA + PROFILE + RESOLUTION


def chunks_in(path: Path) -> dict[bytes, bytes]:
    """The chunks of a PNG by their kinds; each must have the right check sum."""
    data, found, at = path.read_bytes(), {}, 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        whole = data[at : at + 12 + length]
        assert zlib.crc32(whole[4:-4]).to_bytes(4, "big") == whole[-4:]
        if whole[4:8] != b"IDAT":
            assert whole[4:8] not in found
        found[whole[4:8]] = whole
        at += 12 + length
    return found


def sequence(folder: Path, first: int, count: int = 4, chunks: bytes = b"") -> Path:
    folder.mkdir()
    for number in range(first, first + count):
        (folder / f"{number:03}.png").write_bytes(with_chunks(png_bytes(RGB), chunks))
    return folder / "%03d.png"


def passed(source: Path, target: Path, **part: Fraction) -> list[str]:
    target.parent.mkdir(exist_ok=True)
    with (
        open_video(source, rate=Fraction(25), **part) as reader,
        create_video(target, reader.info) as writer,
    ):
        for frame in reader:
            writer.write(frame)
    return reader.warnings + writer.warnings


@pytest.mark.parametrize("first", [0, 1, 998])
def test_numbers_are_those_of_the_input(first: int, tmp_path: Path) -> None:
    source = sequence(tmp_path / "in", first)
    assert passed(source, tmp_path / "out/%03d.png") == []
    names = [f"{number:03}.png" for number in range(first, first + 4)]
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == sorted(names)
    passed(source, tmp_path / "part/%03d.tif", start=Fraction(2, 25))
    assert sorted(each.stem for each in (tmp_path / "part").iterdir()) == sorted(
        name[:-4] for name in names[2:]
    )


def test_numbers_of_a_later_segment(tmp_path: Path) -> None:
    with open_video(sequence(tmp_path / "in", 7), rate=Fraction(25)) as reader:
        (tmp_path / "out").mkdir()
        with ImageSequenceWriter(tmp_path / "out/%d.png", reader.info, done=2) as writer:
            writer.write(next(iter(reader)))
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["9.png"]


def test_images_of_a_video_are_numbered_from_one(tmp_path: Path) -> None:
    warnings = passed(make_clip(tmp_path, Clip()), tmp_path / "out/%d.png")
    assert (tmp_path / "out/1.png").exists() and not (tmp_path / "out/0.png").exists()
    assert any("sound, times" in each for each in warnings)


def test_profile_gamma_and_resolution_are_kept(tmp_path: Path) -> None:
    source = sequence(tmp_path / "in", 0, chunks=NOTES)
    assert passed(source, tmp_path / "out/%03d.png") == []
    for path in sorted((tmp_path / "out").iterdir()):
        found = chunks_in(path)
        assert found[b"gAMA"] + found[b"iCCP"] + found[b"pHYs"] == NOTES
        np.testing.assert_array_equal(read_image(path), RGB)


@pytest.mark.parametrize(
    ("target", "words"),
    [("out/%03d.tif", "gamma of"), ("out/x.mkv", "gamma, ICC profile, resolution, text of")],
)
def test_where_they_are_not_kept_it_is_said(target: str, words: str, tmp_path: Path) -> None:
    source = sequence(tmp_path / "in", 0, chunks=NOTES + AUTHOR)
    said = [each for each in passed(source, tmp_path / target) if "not kept" in each]
    assert len(said) == 1 and words in said[0]


def rgba(number: int, dtype: type) -> np.ndarray:
    shape, highest = (16, 24, 4), np.iinfo(dtype).max
    return np.random.default_rng(number).integers(0, highest + 1, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kinds", ["png png", "png tif", "tif tif", "tif png"])
def test_transparency_and_notes_go_from_image_to_image(
    kinds: str, dtype: type, tmp_path: Path
) -> None:
    """Each image has its own; read by tifffile, or from the bytes of the PNG."""
    read, written = kinds.split()
    (tmp_path / "in").mkdir()
    for number in range(3):
        path, author = tmp_path / f"in/{number}.{read}", f"Ann {number}"
        if read == "png":
            chunks = PROFILE + RESOLUTION + chunk(b"tEXt", b"Author\0" + author.encode())
            path.write_bytes(with_chunks(png_bytes(rgba(number, dtype)), chunks))
        else:
            tifffile.imwrite(
                path,
                rgba(number, dtype),
                photometric="rgb",
                extrasamples=["unassalpha"],
                resolution=(300, 300),
                resolutionunit="INCH",
                iccprofile=b"a profile" * 50,
                extratags=[(315, "s", 0, author, True)],
            )
    assert passed(tmp_path / f"in/%d.{read}", tmp_path / f"out/%d.{written}") == []
    for number in range(3):
        path = tmp_path / f"out/{number}.{written}"
        rgb, alpha = read_with_alpha(path)
        np.testing.assert_array_equal(np.dstack([rgb, alpha]), rgba(number, dtype))
        if written == "png":
            found = chunks_in(path)
            assert found[b"pHYs"] == RESOLUTION
            assert zlib.decompress(found[b"iCCP"][8:-4].split(b"\0", 1)[1][1:]) == b"a profile" * 50
            text = (found.get(b"iTXt") or found[b"tEXt"])[8:-4]
            assert text.startswith(b"Author\0") and text.endswith(f"Ann {number}".encode())
        else:
            with tifffile.TiffFile(path) as file:
                tags = {code: tag.value for code, tag in file.pages.first.tags.items()}
            per_inch = tags[282][0] / tags[282][1] * {2: 1, 3: 2.54}[int(tags[296])]
            assert round(per_inch, 2) == 300 and bytes(tags[34675]) == b"a profile" * 50
            assert tags[315] == f"Ann {number}" and tags[338] == (2,)


def test_multiplied_transparency_is_said_to_be_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, rgba(0, np.uint8), photometric="rgb", extrasamples=["assocalpha"])
    with open_video(path, rate=Fraction(25)) as reader:
        assert reader.warnings == ["not kept of the images: transparency"]
        assert next(iter(reader)).alpha is None


def test_a_gray_profile_is_not_put_on_colours(tmp_path: Path) -> None:
    path = tmp_path / "gray.png"
    header = chunk(b"IHDR", (1).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0")
    pixels = chunk(b"IDAT", zlib.compress(b"\0\x80"))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + PROFILE + pixels + chunk(b"IEND", b""))
    assert image_notes(path).chunks == b"" and image_notes(path).lost == ("ICC profile",)


def test_an_animation_called_png_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "moves.png"
    with av.open(str(path), "w", format="apng") as output:
        stream = output.add_stream("apng", rate=25)
        stream.width, stream.height, stream.pix_fmt = 24, 16, "rgb24"
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.roll(RGB, number, axis=1), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert is_animated(path)
    with open_video(path) as reader:
        frames = list(reader)
        assert len(frames) == 6
        with pytest.raises(UsageError, match="several frames"):
            create_video(tmp_path / "out.png", reader.info)
    np.testing.assert_array_equal(frames[5].rgb, np.roll(RGB, 5, axis=1))


@pytest.mark.parametrize("loop,seen", [("0", 0), ("3", 3), ("-1", None)])
def test_a_gif_plays_as_often_as_before(loop: str, seen: int | None, tmp_path: Path) -> None:
    source, target = tmp_path / "in.gif", tmp_path / "out.gif"
    with av.open(str(source), "w", container_options={"loop": loop}) as output:
        stream = output.add_stream("gif", rate=25)
        stream.width, stream.height, stream.pix_fmt = 24, 16, "rgb8"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.roll(RGB, number, 1), "rgb24")
            frame = frame.reformat(format="rgb8")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    pass_through(source, target)
    for path in (source, target):
        data = path.read_bytes()
        at = data.find(b"NETSCAPE2.0")
        count = None if at < 0 else int.from_bytes(data[at + 13 : at + 15], "little")
        assert count == seen
