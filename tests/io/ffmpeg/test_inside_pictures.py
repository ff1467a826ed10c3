"""What a stream carries inside its pictures or beside them, written by hand: kept, or named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.io.video import open_video
from tests.io.clips import Clip, make_clip, pass_through

START = b"\0\0\0\1"
ATSC = b"\xb5\x00\x31"  # country and provider of ATSC's user data (A/53 part 4)
CAPTIONS = ATSC + b"GA94\x03\x41\xff\xfc\x94\x2c\xff"
ACTIVE_FORMAT = ATSC + b"DTG1\x41\xf8"


def time_code(hours: int, minutes: int, seconds: int, frames: int) -> bytes:
    """SEI time_code of HEVC (D.2.27): one clock time stamp, all of it."""
    bits = "01" + "1" + "0" + "00000" + "1" + "0" + "0"
    bits += f"{frames:09b}{seconds:06b}{minutes:06b}{hours:05b}" + "00000"
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def sei(codec: str, kind: int, payload: bytes) -> bytes:
    head = b"\x06" if codec == "libx264" else b"\x4e\x01"
    return START + head + bytes([kind, len(payload)]) + payload + b"\x80"


def stream_with(path: Path, codec: str, message: bytes) -> Path:
    """A raw stream whose first picture has `message` before it."""
    with av.open(str(path), "w", format="h264" if codec == "libx264" else "hevc") as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        if codec == "libx265":
            stream.codec_context.options = {"x265-params": "log-level=error"}
        for number in range(3):
            rgb = np.full((64, 96, 3), 60 + number, np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    units = path.read_bytes().split(b"\0\0\1")
    pictures = {5} if codec == "libx264" else {19, 20}  # that begin anew

    def kind(unit: bytes) -> int:
        return unit[0] & 31 if codec == "libx264" else unit[0] >> 1 & 63

    place = next(at for at, unit in enumerate(units) if unit and kind(unit) in pictures)
    units.insert(place, message.removeprefix(b"\0\0\0\1"))
    path.write_bytes(b"\0\0\1".join(units))
    return path


@pytest.mark.parametrize(
    ("codec", "kind", "payload", "words"),
    [
        pytest.param("libx264", 4, CAPTIONS, "closed captions", id="A53 in H.264"),
        pytest.param("libx265", 4, CAPTIONS, "closed captions", id="A53 in H.265"),
        pytest.param("libx264", 4, ACTIVE_FORMAT, "active format", id="AFD"),
        pytest.param("libx265", 136, time_code(1, 2, 3, 4), "timecodes", id="S12M"),
    ],
)
def test_messages_inside_pictures_are_named(
    codec: str, kind: int, payload: bytes, words: str, tmp_path: Path
) -> None:
    suffix = ".264" if codec == "libx264" else ".265"
    plain = stream_with(tmp_path / f"plain{suffix}", codec, sei(codec, 5, b"sixteen bytes..."))
    other = stream_with(tmp_path / f"with{suffix}", codec, sei(codec, kind, payload))
    for path, named in ((plain, False), (other, True)):
        warnings, _ = pass_through(path, path.with_suffix(".mkv"))
        assert any(words in each for each in warnings) == named
        with open_video(path) as reader:
            assert len(list(reader)) == 3


def movie_with_data(folder: Path) -> Path:
    """An MP4 whose text track is made one of a camera's telemetry (GPMF) by its four letters."""
    path = make_clip(folder, Clip(subtitles=1))
    data = path.read_bytes()
    assert data.count(b"tx3g") == data.count(b"sbtl") == 1
    path.write_bytes(data.replace(b"tx3g", b"gpmd").replace(b"sbtl", b"meta"))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_tracks_of_telemetry_are_named(suffix: str, tmp_path: Path) -> None:
    source = movie_with_data(tmp_path)
    with av.open(str(source)) as file:
        assert [stream.type for stream in file.streams] == ["video", "data"]
    warnings, _ = pass_through(source, tmp_path / f"out{suffix}")
    assert any("data stream 1" in each for each in warnings)
