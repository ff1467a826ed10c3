"""A video written back unchanged is the same video: times, colours, tags and every other stream."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.io.video import open_video
from tests.io.clips import (
    PATCHES,
    Clip,
    frames_of,
    make_clip,
    pass_through,
    patch_centres,
    patch_image,
)
from tests.io.comparison import check

VFR = (0, 400, 1200, 1600, 3000, 3500, 5000)
TEN_BIT = {"codec": "libx265", "pix_fmt": "yuv420p10le"}
BT709 = {"matrix": 1, "tags": (1, 1, 1, 1)}
BT601 = {"matrix": 6, "tags": (6, 1, 6, 6)}

CLIPS = {
    "mp4": Clip(audio=True, subtitles=2, chapters=True, **BT709),
    "mov": Clip(suffix=".mov", audio=True, subtitles=2, chapters=True, rotation=90, **BT601),
    "mkv": Clip(
        suffix=".mkv",
        audio=True,
        subtitles=2,
        chapters=True,
        attachment=True,
        rotation=270,
        aspect=Fraction(4, 3),
        time_base=Fraction(1, 1000),
        times=tuple(range(0, 280, 40)),
        **BT709,
    ),
    "vfr late start": Clip(times=tuple(19211 + time for time in VFR), audio=True, **BT709),
    "vfr mkv": Clip(suffix=".mkv", times=VFR, **BT601),
    "29.97": Clip(
        times=tuple(range(0, 5005, 1001)),
        time_base=Fraction(1, 30000),
        rate=Fraction(30000, 1001),
        aspect=Fraction(16, 11),
    ),
    "one frame": Clip(times=(0,)),
    "two frames": Clip(times=(0, 512), suffix=".mkv"),
    "full range": Clip(full=True, matrix=1, tags=(1, 2, 1, 1), pix_fmt="yuvj420p"),
    "full range mkv": Clip(suffix=".mkv", full=True, tags=(6, 2, 6, 6)),
    "ten bit": Clip(**TEN_BIT, **BT709),
    "ten bit untagged": Clip(**TEN_BIT, suffix=".mkv"),
    "hdr": Clip(**TEN_BIT, matrix=9, tags=(9, 1, 9, 16)),
    "4:2:2": Clip(pix_fmt="yuv422p10le", tags=(6, 1, 6, 6)),
    "4:4:4 odd": Clip(pix_fmt="yuv444p", size=(99, 67)),
    "4:2:0 odd": Clip(
        suffix=".webm", codec="libvpx-vp9", size=(99, 67), options={"crf": "4", "b": "0"}
    ),
    "ffv1": Clip(suffix=".mkv", codec="ffv1", pix_fmt="yuv444p", size=(99, 67), **BT709),
    "ffv1 rgb": Clip(suffix=".mkv", codec="ffv1", pix_fmt="bgr0", tags=(0, 2, 2, 2)),
    "x264 rgb": Clip(suffix=".mkv", codec="libx264rgb", pix_fmt="bgr0", tags=(0, 2, 1, 13)),
}


@pytest.mark.parametrize("name", CLIPS)
def test_everything_is_kept(name: str, tmp_path: Path) -> None:
    clip = CLIPS[name]
    source = make_clip(tmp_path, clip)
    target = tmp_path / f"out{clip.suffix}"
    warnings, _ = pass_through(source, target)
    # What may be said: an assumption about the input, but no loss.
    assert not [each for each in warnings if "HDR" not in each and "players" not in each]
    check(source, target, clip)


@pytest.mark.parametrize(
    "name",
    ["mp4", "full range", "full range mkv", "ten bit", "hdr", "4:4:4 odd", "ffv1 rgb", "x264 rgb"],
)
def test_the_colours_read_are_those_meant(name: str, tmp_path: Path) -> None:
    """The planes are filled by the standard's formulas in double precision, without swscale."""
    clip = CLIPS[name]
    frames = frames_of(make_clip(tmp_path, clip))
    for frame in frames[:2]:
        meant = patch_image(frame.index, clip.size)
        peak = np.iinfo(frame.rgb.dtype).max
        for row, column in patch_centres(clip.size):
            error = frame.rgb[row, column] / peak - meant[row, column]
            assert np.abs(error).max() * 255 <= 1.5
            if set(meant[row, column]) in ({0}, {1}):  # black and white have exact codes
                assert not error.any()


def test_the_patches_differ_between_matrices() -> None:
    """Guards the test above: a wrong matrix moves some patch by far more than it allows."""
    saturated = PATCHES[2:5]
    luma = [
        saturated @ np.array([kr, 1 - kr - kb, kb]) for kr, kb in ((0.2126, 0.0722), (0.299, 0.114))
    ]
    assert np.abs(luma[0] - luma[1]).max() * 255 > 6


@pytest.mark.parametrize("height,matrix", [(64, 6), (720, 1)])
def test_untagged_video_is_601_below_720_rows_and_709_above(
    height: int, matrix: int, tmp_path: Path
) -> None:
    clip = Clip(size=(96, height), matrix=matrix, times=(0, 512))
    source, target = make_clip(tmp_path, clip), tmp_path / "out.mp4"
    pass_through(source, target)
    check(source, target, clip)
    with open_video(target) as reader:
        assert reader.info.matrix == matrix
        assert reader.info.colour.matrix == 2  # still untagged
    frame = frames_of(target)[0]
    row, column = patch_centres(clip.size)[3]
    assert np.abs(frame.rgb[row, column] / 255 - PATCHES[3]).max() * 255 <= 2


def test_another_matrix_than_the_tag_can_be_named(tmp_path: Path) -> None:
    """Untagged video this small is taken for BT.601; here it was made with BT.709."""
    clip = Clip(matrix=1, pix_fmt="yuv444p")
    source = make_clip(tmp_path, clip)
    row, column = patch_centres(clip.size)[3]  # the patch of which the two matrices differ most
    meant = PATCHES[3] * 255
    (named,) = frames_of(source, colorspace="bt709")[:1]
    assert np.abs(named.rgb[row, column] - meant).max() <= 2
    (guessed,) = frames_of(source)[:1]
    assert np.abs(guessed.rgb[row, column] - meant).max() > 5


def test_lossless_video_in_444_comes_back_code_by_code(tmp_path: Path) -> None:
    clip = dataclasses.replace(CLIPS["ffv1"], pix_fmt="yuv444p10le")
    source, target = make_clip(tmp_path, clip), tmp_path / "out.mkv"
    pass_through(source, target)
    with av.open(str(source)) as first, av.open(str(target)) as second:
        for old, new in zip(first.decode(video=0), second.decode(video=0), strict=True):
            assert new.format.name == "yuv444p10le"
            for before, after in zip(old.planes, new.planes, strict=True):
                seen = [
                    np.frombuffer(memoryview(plane), np.uint16)
                    .reshape(plane.height, -1)[:, : plane.width]
                    .astype(int)
                    for plane in (before, after)
                ]
                assert np.abs(seen[0] - seen[1]).max() <= 1
