"""Files that broke off or begin in the middle: what is missing is counted and said."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.errors import InputError
from spikedeblur.io.guards.cut_files import missing_bytes
from spikedeblur.io.video import open_video

FRAMES, RATE = 100, 25


@dataclass(frozen=True)
class Kind:
    """A container, an encoder for it, and options of its muxer."""

    suffix: str
    codec: str
    muxer: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    gop: int = 10


FASTSTART = Kind(".mp4", "libx264", {"movflags": "faststart"})
FRAGMENTED = Kind(".mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"})
INDEXED = Kind(".mp4", "libx264", {"movflags": "frag_keyframe+delay_moov+dash+global_sidx"})
KINDS = [
    FASTSTART,
    Kind(".mov", "mpeg4", {"movflags": "faststart"}),
    FRAGMENTED,
    INDEXED,
    Kind(".mkv", "libx264"),
    Kind(".webm", "libvpx"),
    Kind(".avi", "mpeg4"),
    Kind(".avi", "libx264"),
    Kind(".mxf", "mpeg2video"),
    Kind(".flv", "flv"),
    Kind(".wmv", "wmv2", format="asf"),
]
NAMES = [f"{kind.suffix[1:]}-{kind.codec}-{'-'.join(kind.muxer.values())[:20]}" for kind in KINDS]


def encode(path: Path, kind: Kind) -> Path:
    """Four seconds of noise that moves, so that every frame takes its share of the bytes."""
    wall = np.random.default_rng(5).integers(0, 256, (48, 64 + FRAMES, 3), np.uint8)
    with av.open(str(path), "w", format=kind.format, container_options=kind.muxer) as output:
        stream = output.add_stream(kind.codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = kind.gop
        stream.codec_context.bit_rate = 400_000
        for number in range(FRAMES):
            picture = np.ascontiguousarray(wall[:, number : number + 64])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module", params=KINDS, ids=NAMES)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind: Kind = request.param
    return encode(tmp_path_factory.mktemp("whole") / f"whole{kind.suffix}", kind)


@pytest.fixture(scope="module")
def faststart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("faststart") / "whole.mp4", FASTSTART)


def cut(path: Path, share: float) -> tuple[Path, int]:
    """The first part of a file, and how many bytes it lacks."""
    content = path.read_bytes()
    kept = int(len(content) * share)
    short = path.with_name(f"cut{share}{path.suffix}")
    short.write_bytes(content[:kept])
    return short, len(content) - kept


def test_a_whole_file_lacks_nothing(whole: Path) -> None:
    assert missing_bytes(whole) == 0
    with open_video(whole) as reader:
        assert len(list(reader)) == FRAMES
        assert abs(reader.info.frame_count_estimate - FRAMES) <= 2
    assert reader.damaged == 0 and not any("header" in each for each in reader.warnings)


@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_what_a_cut_file_lacks_is_counted(whole: Path, share: float) -> None:
    path, lacking = cut(whole, share)
    # Fragments, and MXF's footer, say no more than where they end themselves.
    assert 0 < missing_bytes(path) <= lacking
    if whole.suffix in {".mov", ".mkv", ".webm", ".wmv"}:
        assert missing_bytes(path) == lacking
    with open_video(path) as reader:
        read = len(list(reader))
    assert 0 < read < FRAMES and reader.damaged >= 1
    assert any("before the end that its header states" in each for each in reader.warnings)
    with pytest.raises(InputError, match="--strict"), open_video(path, strict=True) as reader:
        list(reader)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.98])
def test_the_seconds_that_a_cut_movie_lacks(faststart: Path, share: float) -> None:
    path, _ = cut(faststart, share)
    with open_video(path) as reader:
        frames = list(reader)
    assert float(frames[-1].interval) == pytest.approx(1 / RATE)
    lacking = FRAMES / RATE - float(frames[-1].time + frames[-1].interval)
    said = [each for each in reader.warnings if each.startswith("the video ends")]
    assert said == [
        f"the video ends {lacking:.2f} s before the length in its header: the file may be truncated"
    ]


def test_a_part_before_the_cut_is_whole(faststart: Path) -> None:
    path, _ = cut(faststart, 0.6)
    with open_video(path, end=Fraction(1)) as reader:
        assert len(list(reader)) == RATE
    assert reader.damaged == 0


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
def test_frames_before_the_first_key_frame_are_counted(codec: str, tmp_path: Path) -> None:
    """A capture that began in the middle of a transport stream."""
    path = encode(tmp_path / "whole.ts", Kind(".ts", codec, gop=40))
    content = path.read_bytes()
    middle = tmp_path / "middle.ts"
    middle.write_bytes(content[len(content) // 188 // 2 * 188 :])
    with av.open(str(middle)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    with open_video(middle) as reader:
        frames = list(reader)
    early = [stamp for stamp in stamps if stamp < frames[0].pts]
    assert len(early) > 3 and reader.damaged == len(early)
    assert f"{len(early)} frames before the first key frame" in reader.warnings[0]
    with pytest.raises(InputError, match="--strict"):
        open_video(middle, strict=True)
    with open_video(middle, start=frames[2].time) as part:
        assert next(iter(part)).pts == frames[2].pts
    assert part.damaged == 0


Y4M_FORMATS = ["yuv420p", "yuv422p", "yuv411p", "yuv444p", "gray", "yuv420p10le", "gray12le"]


@pytest.mark.parametrize("pix_fmt", Y4M_FORMATS)
@pytest.mark.parametrize("lacking", [0, 1, 1000])
def test_a_picture_of_y4m_that_broke_off_is_counted(pix_fmt: str, lacking: int, tmp_path: Path):
    """Its sizes are FFmpeg's own: those of pictures of odd length in every arrangement."""
    path = tmp_path / "v.y4m"
    with av.open(str(path), "w", container_options={"strict": "-1"}) as output:
        stream = output.add_stream("wrapped_avframe", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 63, 47, pix_fmt
        for number in range(4):
            frame = av.VideoFrame(63, 47, pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - lacking])
    assert missing_bytes(path) == lacking
    with open_video(path) as reader:
        assert len(list(reader)) == (3 if lacking else 4)
    assert reader.damaged == (1 if lacking else 0)
    if lacking:
        last = content.rindex(b"FRAME")
        path.write_bytes(content[: last + 3])
        assert missing_bytes(path) == len(content) - last - 3


@pytest.mark.parametrize("begin", [0, 3600])
def test_length_is_counted_from_the_first_frame(begin: int, tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(RATE):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = begin * RATE + number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with open_video(path) as reader:
        info = reader.info
    assert (info.begin, info.length, info.frame_count_estimate) == (begin, 1, RATE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x1a\x45\xdf\xa3",
        b"\x1a\x45\xdf\xa3" + b"\x18\x53\x80\x67" + b"\0" * 20,
        b"RIFF\0\0\0\0AVI ",
        b"\0\0\0\x08free" * 50,
        b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x01",
        b"YUV4MPEG2 W64 H48 Cstrange\nFRAME\n" + b"\0" * 99,
        b"YUV4MPEG2 Wx H48\nFRAME\n" + b"\0" * 99,
        b"YUV4MPEG2 W64 H48\nSTRANGE\n" + b"\0" * 99,
        b"FLV\x01" + b"\x00\x08filesize\x00" + b"\x7f\xf8" + b"\0" * 6,
        bytes.fromhex("060e2b34020501010d010201"),
    ],
)
def test_headers_without_sense_state_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "strange"
    path.write_bytes(content)
    assert missing_bytes(path) == 0


@pytest.mark.timeout(20)
def test_a_decoder_that_never_opens_comes_to_an_end(tmp_path: Path) -> None:
    """Cut behind the header, whose codec data are spoilt: even the packet of the end fails."""
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        output.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")) + stream.encode(None))
    with av.open(str(path)) as container:
        codec_data = container.streams.video[0].codec_context.extradata
    content = path.read_bytes()
    first_cluster = content.index(bytes.fromhex("1f43b675"))
    header = content[: first_cluster + 12].replace(codec_data, bytes(len(codec_data)))
    path.write_bytes(header)
    with pytest.raises(InputError, match="no frame of the video can be decoded"):
        open_video(path)
