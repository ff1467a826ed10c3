"""Animated WebP: its canvas after each part, by the equations of its specification."""

from __future__ import annotations

import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.errors import InputError
from spikedeblur.io.image_files import read_with_alpha
from spikedeblur.io.video import VideoSelection, create_video, open_video
from spikedeblur.quantities import Region
from tests.hostile import refused
from tests.io.clips import frames_of
from tests.io.webps import Piece, animation, chunk, payload

RNG = np.random.default_rng(5)


def colours(height: int, width: int, alpha: int | None = 255) -> np.ndarray:
    """Random pixels, of one opacity or of any."""
    pixels = RNG.integers(0, 256, (height, width, 4), dtype=np.uint8)
    if alpha is not None:
        pixels[..., 3] = alpha
    return pixels


def over(canvas: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The specification's equations, in double precision, pixel by pixel."""
    result = canvas.copy()
    for place in np.ndindex(pixels.shape[:2]):
        source, target = pixels[place].astype(float), canvas[place].astype(float)
        rest = target[3] * (1 - source[3] / 255)
        alpha = source[3] + rest
        if alpha == 0:
            continue
        result[place][:3] = np.rint((source[:3] * source[3] + target[:3] * rest) / alpha)
        result[place][3] = np.rint(alpha)
    return result


def test_what_an_encoder_stores_as_changes_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.webp"
    pictures = np.repeat(colours(48, 64)[None], 8, axis=0)
    for number, picture in enumerate(pictures):
        picture[number : number + 9, 3 * number : 3 * number + 7] = colours(9, 7)
    with av.open(str(path), "w", format="webp", container_options={"loop": "3"}) as output:
        stream = output.add_stream("libwebp_anim", rate=25, options={"lossless": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgra"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format="bgra")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with open_video(path) as reader:
        frames = list(reader)
    assert (reader.info.loops, reader.info.lossless, reader.info.notes.transparent) == (3, 1, 0)
    assert reader.info.frame_count_estimate == len(frames) == 8
    assert [frame.time for frame in frames] == [Fraction(number, 25) for number in range(8)]
    np.testing.assert_array_equal([frame.rgb for frame in frames], pictures[..., :3])


def test_parts_lie_over_each_other_replace_and_are_disposed_of(tmp_path: Path) -> None:
    first, second, third = colours(16, 20), colours(8, 10, None), colours(6, 4, 99)
    path = animation(
        tmp_path / "x.webp",
        [
            Piece(first, ms=30),
            Piece(second, (4, 2), ms=50, disposed=True),
            Piece(third, (6, 6), ms=20, blends=False),
            Piece(colours(2, 2, 0), (0, 0), ms=10),
        ],
        (20, 16),
    )
    shown = [first]
    shown.append(first.copy())
    shown[1][2:10, 4:14] = over(first[2:10, 4:14], second)
    shown.append(shown[1].copy())
    shown[2][2:10, 4:14] = 0
    shown[2][6:12, 6:10] = third
    shown.append(shown[2])
    frames = frames_of(path)
    assert [(frame.pts, frame.duration) for frame in frames] == [
        (0, 30), (30, 50), (80, 20), (100, 10)
    ]  # fmt: skip
    for frame, expected in zip(frames, shown, strict=True):
        np.testing.assert_array_equal(frame.alpha, expected[..., 3])
        seen = expected[..., 3] > 0
        difference = frame.rgb[seen].astype(int) - expected[seen][:, :3]
        assert abs(difference).max() <= 1  # float32 here, double there


def test_lossy_parts_keep_their_opacity(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[...] = 200, 120, 60, 255
    pixels[:, 16:, 3] = 77
    (frame,) = frames_of(animation(tmp_path / "x.webp", [Piece(pixels, lossy=True)], (32, 32)))
    np.testing.assert_array_equal(frame.alpha, pixels[..., 3])
    assert abs(frame.rgb.astype(int) - pixels[..., :3]).max() <= 4


def test_a_part_of_it_by_time_and_by_place(tmp_path: Path) -> None:
    pieces = [Piece(colours(64, 96)) for _ in range(5)]
    path = animation(tmp_path / "x.webp", pieces, (96, 64), transparent=False)
    selection = VideoSelection(Fraction(1, 25), Fraction(3, 25), region=Region(20, 10, 4, 2))
    with selection.open(path) as reader:
        frames = list(reader)
    assert reader.info.frame_count_estimate == len(frames) == 2
    assert [frame.pts for frame in frames] == [40, 80]
    np.testing.assert_array_equal(
        frames[0].cut(reader.info.kept).rgb, pieces[1].pixels[2:12, 4:24, :3]
    )
    with pytest.raises(InputError, match=r"ends at 0\.200 s"):
        frames_of(path, start=Fraction(1))


def test_transparency_profile_and_loops_are_kept_where_a_format_has_them(tmp_path: Path) -> None:
    profile = bytes(range(200))
    path = animation(
        tmp_path / "x.webp",
        [Piece(colours(8, 8, 100))] * 2,
        (8, 8),
        loops=4,
        beside=((b"ICCP", profile),),
    )
    with open_video(path) as reader, create_video(tmp_path / "%d.png", reader.info) as writer:
        for frame in reader:
            writer.write(frame)
    assert (read_with_alpha(tmp_path / "1.png")[1] == 100).all()
    png = (tmp_path / "1.png").read_bytes()
    packed = png[png.index(b"iCCP") + len(b"iCCPprofile\0\0") :]
    assert zlib.decompressobj().decompress(packed) == profile
    with open_video(path) as reader, create_video(tmp_path / "x.gif", reader.info) as video:
        for frame in reader:
            video.write(frame)
    assert any("transparency, ICC profile" in warning for warning in video.warnings)
    gif = (tmp_path / "x.gif").read_bytes()
    assert gif[gif.index(b"NETSCAPE2.0\x03\x01") + 13 :][:2] == b"\x03\0"  # again, so often


def test_a_picture_of_no_time_is_shown_as_long_as_in_browsers(tmp_path: Path) -> None:
    path = animation(tmp_path / "x.webp", [Piece(colours(8, 8), ms=0)] * 2, (8, 8))
    with open_video(path) as reader:
        assert [frame.pts for frame in reader] == [0, 100]
    assert reader.warnings == ["pictures that are shown for no time get 100 ms, as in browsers (2)"]


def test_a_file_that_broke_off(tmp_path: Path) -> None:
    path = animation(tmp_path / "x.webp", [Piece(colours(48, 64)) for _ in range(4)], (64, 48))
    path.write_bytes(path.read_bytes()[:-5000])
    with open_video(path) as reader:
        assert len(list(reader)) == 3
    assert reader.damaged == 1
    assert "it may be truncated" in reader.warnings[0]
    with pytest.raises(InputError, match="--strict"):
        open_video(path, strict=True)


@pytest.mark.parametrize(
    "piece",
    [
        Piece(colours(48, 64), payload=chunk(b"VP8L", b"\x2f" + bytes(40))),
        Piece(colours(48, 64), payload=payload(colours(8, 8))),
        Piece(colours(48, 64), payload=payload(np.zeros((2000, 2000, 4), np.uint8))),
        Piece(colours(48, 64), (2, 0)),
        Piece(colours(2, 2), payload=chunk(b"VP8L", bytes(100_000))),
    ],
    ids=["nonsense", "smaller", "larger", "beyond", "much"],
)
def test_a_part_that_is_none_is_counted_and_its_time_kept(piece: Piece, tmp_path: Path) -> None:
    good = colours(48, 64)
    path = animation(tmp_path / "x.webp", [Piece(good), piece, Piece(good)], (64, 48))
    with open_video(path) as reader:
        frames = list(reader)
    assert (reader.damaged, [frame.pts for frame in frames]) == (1, [0, 40, 80])
    np.testing.assert_array_equal(frames[1].rgb, good[..., :3])
    with pytest.raises(InputError, match="--strict"):
        frames_of(path, strict=True)


def test_too_many_such_parts_end_it(tmp_path: Path) -> None:
    path = animation(
        tmp_path / "x.webp", [Piece(colours(8, 8), payload=chunk(b"VP8L", bytes(40)))] * 20, (8, 8)
    )
    with pytest.raises(InputError, match="9 damaged pictures in a row"):
        frames_of(path)


def test_a_canvas_above_the_limit_takes_no_memory(tmp_path: Path) -> None:
    path = animation(tmp_path / "x.webp", [Piece(colours(8, 8))], (16_384, 16_384))
    with refused(InputError, "16384x16384", megabytes=20):
        open_video(path)
    empty = animation(tmp_path / "y.webp", [], (8, 8))
    with refused(InputError, "no picture", megabytes=20):
        open_video(empty)
