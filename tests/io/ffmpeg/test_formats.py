"""Formats that are read, and why others are refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from spikedeblur.errors import InputError
from spikedeblur.io.video import open_video

FORMATS = [
    ("rm", "rv10", (176, 144), "yuv420p"),
    ("wtv", "mpeg2video", (64, 48), "yuv420p"),
    ("gxf", "mpeg2video", (720, 512), "yuv422p"),
    ("swf", "flv", (64, 48), "yuv420p"),
    ("roq", "roqvideo", (64, 64), "yuvj444p"),
    ("mjpeg", "mjpeg", (64, 48), "yuvj420p"),
    ("ivf", "libvpx", (64, 48), "yuv420p"),
]


@pytest.mark.parametrize("name,codec,size,pix_fmt", FORMATS)
def test_read(name: str, codec: str, size: tuple[int, int], pix_fmt: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{name}"
    rate = 30 if name == "roq" else 25
    with av.open(str(path), "w", format=name) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.bit_rate = 2_000_000
        for number in range(8):
            frame = av.VideoFrame(*size, pix_fmt)
            for plane in frame.planes:
                plane.update(bytes([90 + number]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with open_video(path) as reader:
        assert len(list(reader)) == 8
        assert reader.info.container.startswith(name)


def test_a_picture_as_webp(tmp_path: Path) -> None:
    path = tmp_path / "x.webp"
    with av.open(str(path), "w", format="webp") as output:
        stream = output.add_stream("libwebp", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        output.mux(stream.encode(frame) + stream.encode(None))
    with open_video(path) as reader:
        assert len(list(reader)) == 1


@pytest.mark.parametrize(
    "content",
    ["#EXTM3U\n#EXTINF:1,\nx.ts\n", "ffconcat version 1.0\nfile x.mp4\n", "<?xml?><MPD></MPD>"],
)
def test_lists_of_other_files_are_refused_with_the_reason(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_text(content)
    with pytest.raises(InputError, match="a list of other files"):
        open_video(path)
