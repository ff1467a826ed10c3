"""Levels: what RGB cannot hold, whiter than white and blacker than black, is kept."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.video import create_video, open_video

SIZE = (64, 48)


def video_of(path: Path, pix_fmt: str, planes: list[np.ndarray], full: bool) -> Path:
    """One lossless frame of these codes."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, pix_fmt
        stream.codec_context.color_range = 2 if full else 1
        frame = av.VideoFrame(*SIZE, pix_fmt)
        for plane, codes in zip(frame.planes, planes, strict=True):
            rows = np.frombuffer(memoryview(plane), codes.dtype).reshape(plane.height, -1)
            rows[:, : codes.shape[1]] = codes
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        output.mux(stream.encode(frame) + stream.encode(None))
    return path


def planes_in(path: Path, dtype: type) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return [
            np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)[:, : plane.width]
            for plane in frame.planes
        ]


FORMATS = [
    ("yuv420p", np.uint8, 255, (2, 2)),
    ("yuv444p", np.uint8, 255, (1, 1)),
    ("yuv422p10le", np.uint16, 1023, (1, 2)),
    ("gray", np.uint8, 255, None),
]


def random_planes(dtype: type, most: int, chroma: tuple[int, int] | None) -> list[np.ndarray]:
    """Every code of luma, random chroma."""
    random, (width, height) = np.random.default_rng(4), SIZE
    luma = np.linspace(0, most, width * height).round().astype(dtype).reshape(height, width)
    if chroma is None:
        return [luma]
    shape = height // chroma[0], width // chroma[1]
    return [luma, *(random.integers(0, most + 1, shape).astype(dtype) for _ in range(2))]


@pytest.mark.parametrize("pix_fmt,dtype,most,chroma", FORMATS)
@pytest.mark.parametrize("full", [False, True])
def test_a_frame_that_is_as_it_was_has_the_codes_it_had(
    pix_fmt: str, dtype: type, most: int, chroma: tuple[int, int] | None, full: bool, tmp_path: Path
) -> None:
    planes = random_planes(dtype, most, chroma)
    source = video_of(tmp_path / "in.mkv", pix_fmt, planes, full)
    with open_video(source) as reader, create_video(tmp_path / "out.mkv", reader.info) as writer:
        for frame in reader:
            writer.write(replace(frame, rgb=frame.rgb.copy()))
    for old, new in zip(planes, planes_in(tmp_path / "out.mkv", dtype), strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("pix_fmt,dtype,most,chroma", FORMATS[:3])
def test_a_change_is_added_to_the_true_luma(
    pix_fmt: str, dtype: type, most: int, chroma: tuple[int, int], tmp_path: Path
) -> None:
    planes = random_planes(dtype, most, chroma)
    for plane in planes[1:]:
        plane[...] = (most + 1) // 2
    source = video_of(tmp_path / "in.mkv", pix_fmt, planes, full=False)
    with open_video(source) as reader, create_video(tmp_path / "out.mkv", reader.info) as writer:
        for frame in reader:
            peak = np.iinfo(frame.rgb.dtype).max
            darker = frame.rgb.copy()
            darker[:24] = (darker[:24] * 0.5).round()
            assert darker.max() == peak
            writer.write(replace(frame, rgb=darker))
    unit = (most + 1) // 256
    low, high = 16 * unit, 235 * unit
    luma = planes[0].astype(float)
    change = np.zeros_like(luma)
    change[:24] = -0.5 * (np.clip(luma[:24], low, high) - low)
    found = planes_in(tmp_path / "out.mkv", dtype)[0].astype(float)
    assert np.abs(found - (luma + change)).max() <= 1.01


def test_another_range_or_depth_is_converted_as_ever(tmp_path: Path) -> None:
    planes = random_planes(np.uint8, 255, (2, 2))
    source = video_of(tmp_path / "in.mkv", "yuv420p", planes, full=False)
    with open_video(source) as reader:
        frame = next(iter(reader))
        for pix_fmt in ("yuv420p10le", "yuv444p"):
            path = tmp_path / f"{pix_fmt}.mkv"
            with create_video(path, reader.info, EncoderSettings(pix_fmt=pix_fmt)) as writer:
                writer.write(frame)
            assert len(planes_in(path, np.uint16 if "10" in pix_fmt else np.uint8)) == 3
