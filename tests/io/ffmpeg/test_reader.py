"""Reading: parts of a video, clocks that are missing, damage, and files that are no video."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.ffmpeg.reader import VideoReader
from spikedeblur.io.video import open_video
from tests.io.clips import Clip, frames_of, make_clip

LONG = tuple(range(0, 60 * 512, 512))


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two seconds and a half with B-frames and a keyframe every 12 frames, by container."""
    folder = tmp_path_factory.mktemp("long")
    options = {"crf": "20", "g": "12", "x264-params": "open-gop=1"}
    clips = {
        suffix: Clip(suffix=suffix, times=LONG, options=options, codec="libx264", audio=True)
        for suffix in (".mp4", ".mkv", ".ts")
    }
    clips["hevc"] = Clip(
        suffix=".mkv",
        times=LONG,
        codec="libx265",
        options={"x265-params": "log-level=error:keyint=12:open-gop=1"},
    )
    clips["h264"] = Clip(suffix=".h264", times=LONG, options=options)
    clips["avi"] = Clip(
        suffix=".avi", time_base=Fraction(1, 25), times=tuple(range(60)), options=options
    )
    return {name: make_clip(folder, clip, name.strip(".")) for name, clip in clips.items()}


@pytest.mark.parametrize("name", [".mp4", ".mkv", ".ts", "hevc"])
@pytest.mark.parametrize("first,last", [(0, 7), (11, 14), (12, 30), (13, 14), (35, 60), (59, 60)])
def test_a_part_is_exactly_that_part_of_the_whole(
    name: str, first: int, last: int, long_clips: dict[str, Path]
) -> None:
    whole = frames_of(long_clips[name])
    assert len(whole) == 60
    end = whole[last].time if last < 60 else None
    part = frames_of(long_clips[name], start=whole[first].time, end=end)
    assert [frame.pts for frame in part] == [frame.pts for frame in whole[first:last]]
    assert [frame.index for frame in part] == list(range(last - first))
    assert [frame.interval for frame in part] == [frame.interval for frame in whole[first:last]]
    for seen, meant in zip(part, whole[first:last], strict=True):
        np.testing.assert_array_equal(seen.rgb, meant.rgb)


@pytest.mark.parametrize("name", ["h264", "avi"])
def test_without_usable_times_frames_are_counted_and_it_is_said(
    name: str, long_clips: dict[str, Path]
) -> None:
    with open_video(long_clips[name]) as reader:
        frames = list(reader)
        assert reader.info.time_base == Fraction(1, 25)
        assert any("25 per second" in warning for warning in reader.warnings)
    assert [frame.pts for frame in frames] == list(range(60))
    assert {frame.interval for frame in frames} == {Fraction(1, 25)}


def test_info_tells_what_the_file_is(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path,
        Clip(audio=True, subtitles=1, rotation=90, aspect=Fraction(4, 3), tags=(1, 1, 1, 1)),
    )
    with open_video(path) as reader:
        info = reader.info
    assert (info.width, info.height, info.codec, info.pix_fmt) == (96, 64, "h264", "yuv420p")
    assert (info.bit_depth, info.matrix_name, info.full_range) == (8, "bt709", False)
    assert (info.average_rate, info.time_base) == (25, Fraction(1, 12800))
    assert (info.frame_count_estimate, info.duration) == (7, Fraction(7, 25))
    assert (info.rotation, info.sample_aspect_ratio) == (90, Fraction(4, 3))
    assert [(each.kind, each.codec, each.language) for each in info.streams[1:]] == [
        ("audio", "aac", "eng"),
        ("subtitle", "mov_text", "eng"),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_counted_and_bounded(
    seed: int, tmp_path: Path, long_clips: dict[str, Path]
) -> None:
    data = bytearray(long_clips[".ts"].read_bytes())
    chance = random.Random(seed)
    for _ in range(20):
        data[chance.randrange(len(data) // 4, len(data))] ^= 1 << chance.randrange(8)
    path = tmp_path / "damaged.ts"
    path.write_bytes(data)
    try:
        with open_video(path) as reader:
            frames = list(reader)
    except InputError:
        return
    assert reader.damaged or len(frames) == 60
    times = [frame.time for frame in frames]
    assert times == sorted(set(times))
    if reader.damaged:
        with pytest.raises(InputError, match="--strict"), open_video(path, strict=True) as again:
            list(again)


def with_damage(source: Path, first: int, count: int) -> Path:
    """A copy of `source` in which `count` packets from number `first` on hold nothing but noise."""
    path = source.with_name(f"{count}_bad{source.suffix}")
    with av.open(str(source)) as whole, av.open(str(path), "w") as output:
        target = output.add_stream_from_template(whole.streams.video[0], opaque=True)
        packets = (packet for packet in whole.demux(video=0) if packet.size)
        for number, packet in enumerate(packets):
            if first <= number < first + count:
                noise = av.Packet(b"\xff" * 40)
                noise.pts, noise.dts, noise.time_base = packet.pts, packet.dts, packet.time_base
                packet = noise
            packet.stream = target
            output.mux(packet)
    return path


@pytest.mark.parametrize("codec,pix_fmt", [("mjpeg", "yuvj420p"), ("ffv1", "yuv420p")])
def test_eight_damaged_packets_in_a_row_are_skipped_and_nine_are_too_many(
    codec: str, pix_fmt: str, tmp_path: Path
) -> None:
    source = make_clip(tmp_path, Clip(suffix=".mkv", codec=codec, pix_fmt=pix_fmt, times=LONG[:30]))
    whole = frames_of(source)
    damaged = with_damage(source, 10, 8)
    with open_video(damaged) as reader:
        frames = list(reader)
    assert reader.damaged == 8
    assert [frame.time for frame in frames] == [frame.time for frame in whole[:10] + whole[18:]]
    assert sum(frame.interval for frame in frames) == sum(frame.interval for frame in whole)
    with pytest.raises(InputError, match="--strict"):
        frames_of(damaged, strict=True)
    with pytest.raises(InputError, match="9 damaged packets in a row"):
        frames_of(with_damage(source, 10, 9))


def test_a_truncated_matroska_file_is_read_and_counted_as_damaged(
    tmp_path: Path, long_clips: dict[str, Path]
) -> None:
    whole = long_clips[".mkv"].read_bytes()
    path = tmp_path / "short.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    with open_video(path) as reader:
        assert 5 < len(list(reader)) < 55
    assert reader.damaged == 1
    assert "truncated" in reader.warnings[-1]


def _text(folder: Path) -> Path:
    path = folder / "text.mp4"
    path.write_text("this is no video\n" * 50)
    return path


def _truncated(folder: Path) -> Path:
    path = make_clip(folder, Clip())
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def _sound(folder: Path) -> Path:
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        stream.codec_context.layout = "mono"
        frame.sample_rate = 48000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _playlist(folder: Path) -> Path:
    secret = make_clip(folder, Clip(suffix=".ts"), "secret")
    path = folder / "list.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n")
    return path


def _script(folder: Path) -> Path:
    make_clip(folder, Clip(), "secret")
    path = folder / "script.mp4"
    path.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    return path


def _empty(folder: Path) -> Path:
    path = folder / "empty.mkv"
    path.touch()
    return path


@pytest.mark.parametrize(
    "make,words",
    [
        (lambda folder: folder / "missing.mp4", "there is no file"),
        (lambda folder: folder / "%05d.jpg", "only PNG and TIFF"),
        (lambda folder: folder, "is a folder"),
        (_text, "cannot read"),
        (_truncated, "broke off"),
        (_sound, "it holds: audio"),
        (_playlist, "cannot read"),
        (_script, "cannot read"),
        (_empty, "cannot read"),
    ],
)
def test_what_is_no_video_is_one_line_that_names_the_file(
    make: object, words: str, tmp_path: Path
) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        VideoReader.open(path)
    message = str(caught.value)
    assert words in message and str(path) in message and " - " in message and "\n" not in message


def test_a_change_of_size_in_the_middle_is_refused(tmp_path: Path) -> None:
    both = b"".join(
        make_clip(tmp_path, Clip(suffix=".h264", size=size), f"{size[0]}").read_bytes()
        for size in ((96, 64), (64, 48))
    )
    path = tmp_path / "both.h264"
    path.write_bytes(both)
    with pytest.raises(InputError, match="from 96x64 to 64x48"):
        frames_of(path)


def test_grey_floats_which_swscale_cannot_convert_are_refused(tmp_path: Path) -> None:
    """As OpenEXR has them."""
    path = tmp_path / "floats.mov"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("exr", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "grayf32le"
        frame = av.VideoFrame(64, 48, "grayf32le")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(InputError, match="grayf32le cannot be read"):
        frames_of(path)


@pytest.mark.parametrize(
    "arguments,words",
    [({"start": Fraction(2), "end": Fraction(1)}, "--start"), ({"colorspace": "bt2021"}, "bt2020")],
)
def test_bad_arguments(arguments: dict, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        open_video(make_clip(tmp_path, Clip()), **arguments)


def test_an_empty_part_says_how_long_the_video_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends at 0\.280 s"):
        frames_of(make_clip(tmp_path, Clip()), start=Fraction(5))
