"""Writing: which encoder, what is refused, and that a file appears whole or not at all."""

from __future__ import annotations

import dataclasses
import resource
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.errors import OutputError, UsageError
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.ffmpeg.writer import VideoWriter
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from tests.io.clips import Clip, frames_of, make_clip, packets_of, pass_through

RATE = Fraction(25)


def frame(info: VideoInfo, index: int, rgb: np.ndarray | None = None) -> VideoFrame:
    """A frame of noise in its place, or of `rgb`."""
    if rgb is None:
        dtype = np.uint8 if info.bit_depth <= 8 else np.uint16
        rgb = (
            np.random.default_rng(index)
            .integers(0, np.iinfo(dtype).max + 1, (info.height, info.width, 3))
            .astype(dtype)
        )
    return VideoFrame(index, index, info.time_base, 1, info.time_base, rgb)


def written(
    path: Path, info: VideoInfo, count: int = 3, overwrite: bool = False, **settings: object
) -> list[str]:
    """Write `count` frames of noise; return the warnings."""
    with create_video(path, info, EncoderSettings(**settings), overwrite=overwrite) as writer:
        for index in range(count):
            writer.write(frame(info, index))
    return writer.warnings


@pytest.mark.parametrize(
    "suffix,pix_fmt,codec,size,expected",
    [
        (".mp4", "yuv420p", "h264", (64, 48), "h264 yuv420p"),
        (".mkv", "yuv422p", "h264", (64, 48), "h264 yuv422p"),
        (".mov", "yuv420p10le", "hevc", (64, 48), "hevc yuv420p10le"),
        (".mov", "yuv422p10le", "prores", (64, 48), "hevc yuv422p10le"),
        (".mkv", "yuv420p10le", "h264", (64, 48), "h264 yuv420p10le"),
        (
            ".mp4",
            "yuv420p10le",
            "hevc",
            (48, 48),
            "h264 yuv420p10le",
        ),  # libx265 fails at this width
        (".mp4", "yuv420p", "vp9", (63, 47), "h264 yuv444p"),
        (".mp4", "yuv420p", "vp9", (64, 47), "h264 yuv422p"),
        (".webm", "yuv420p", "vp9", (63, 47), "vp9 yuv420p"),
        (".webm", "yuv420p10le", "vp9", (64, 64), "av1 yuv420p10le"),
        (".mp4", "gray", "h264", (64, 48), "h264 yuv420p"),
        (".mp4", "gbrp", "h264", (64, 48), "h264 yuv420p"),
        (".avi", "yuv420p", "mpeg4", (64, 48), "h264 yuv420p"),
        (".m4v", "yuv420p", "h264", (64, 48), "h264 yuv420p"),  # iTunes', not FFmpeg's raw stream
        (".hevc", "yuv420p", "hevc", (64, 48), "hevc yuv420p"),
    ],
)
def test_depth_chroma_and_rgb_are_kept_by_default(
    suffix: str, pix_fmt: str, codec: str, size: tuple[int, int], expected: str, tmp_path: Path
) -> None:
    info = dataclasses.replace(
        VideoInfo.synthetic(*size, RATE, pix_fmt), codec=codec, lossless=False
    )
    path = tmp_path / f"out{suffix}"
    written(path, info)
    with open_video(path) as reader:
        name = {"libdav1d": "av1"}.get(reader.info.codec, reader.info.codec)
        assert f"{name} {reader.info.pix_fmt}" == expected


@pytest.mark.parametrize("pix_fmt", ["bgr0", "gbrp10le", "gbrp16le"])
def test_lossless_rgb_in_matroska_is_exact(pix_fmt: str, tmp_path: Path) -> None:
    info = VideoInfo.synthetic(63, 47, RATE, pix_fmt)
    bits = info.bit_depth
    path = tmp_path / "out.mkv"
    levels = 2**bits - 1
    full = 255 if bits == 8 else 65535
    codes = np.random.default_rng(0).integers(0, levels + 1, (47, 63, 3))
    rgb = np.round(codes * (full / levels)).astype(np.uint8 if bits == 8 else np.uint16)
    with create_video(path, info) as writer:
        writer.write(frame(info, 0, rgb))
    assert writer.warnings == []
    seen = frames_of(path)[0].rgb
    assert np.abs(seen.astype(int) - rgb).max() <= (1 if bits == 10 else 0)
    with open_video(path) as reader:
        assert (reader.info.codec, reader.info.pix_fmt) == ("ffv1", pix_fmt)


@pytest.mark.parametrize(
    "settings,words",
    [
        ({"codec": "libx246"}, "libx264"),
        ({"codec": "aac"}, "encodes audio"),
        ({"encoder_options": {"crff": "3"}}, "crf"),
        ({"preset": "mediun"}, "mediun"),
        ({"pix_fmt": "yuv420p99"}, "yuv420p"),
        ({"codec": "ffv1", "crf": 3}, "ffv1 has no crf"),
        ({"codec": "libvpx-vp9", "preset": "slow"}, "no preset"),
        ({"codec": "prores_ks", "path": "x.webm"}, "webm"),
        ({"path": "x.xyz"}, ".xyz"),
        ({"pix_fmt": "yuv420p", "width": 63}, "even"),
        ({"codec": "libx265", "width": 40}, "libx265"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_written(
    settings: dict, words: str, tmp_path: Path
) -> None:
    info = VideoInfo.synthetic(settings.pop("width", 64), 48, RATE, "yuv420p")
    path = tmp_path / settings.pop("path", "x.mp4")
    with pytest.raises(UsageError) as caught:
        VideoWriter(path, info, EncoderSettings(**settings))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_stands_at_the_path_after_an_error(tmp_path: Path) -> None:
    info = VideoInfo.synthetic(64, 48, RATE)
    path = tmp_path / "x.mkv"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), create_video(path, info, overwrite=True) as writer:
        writer.write(frame(info, 0))
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_output_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.mkv"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="-y"):
        create_video(path, VideoInfo.synthetic(64, 48, RATE))
    assert path.read_bytes() == b"old"


def test_the_input_is_never_replaced(tmp_path: Path) -> None:
    path = make_clip(tmp_path, Clip())
    with pytest.raises(OutputError, match="the output is the input"), open_video(path) as reader:
        create_video(tmp_path / "." / path.name, reader.info, overwrite=True)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_full_disk_is_an_output_error(suffix: str, tmp_path: Path) -> None:
    info = VideoInfo.synthetic(320, 240, RATE)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with pytest.raises(OutputError, match="cannot write"):
            written(tmp_path / f"x{suffix}", info, count=20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []


def test_times_that_do_not_increase_are_refused(tmp_path: Path) -> None:
    info = VideoInfo.synthetic(64, 48, RATE)
    with (
        pytest.raises(OutputError, match="same time"),
        create_video(tmp_path / "x.mkv", info) as writer,
    ):
        writer.write(frame(info, 0))
        writer.write(frame(info, 0))


def test_another_size_and_time_base_can_be_written(tmp_path: Path) -> None:
    info = dataclasses.replace(
        VideoInfo.synthetic(64, 48, RATE, "yuv420p"), width=128, time_base=Fraction(1, 100)
    )
    with create_video(tmp_path / "x.mp4", info) as writer:
        for index in range(8):
            writer.write(
                VideoFrame(
                    index,
                    index,
                    Fraction(1, 100),
                    1,
                    Fraction(1, 100),
                    np.zeros((48, 128, 3), np.uint8),
                )
            )
    frames = frames_of(tmp_path / "x.mp4")
    assert [each.time for each in frames] == [Fraction(index, 100) for index in range(8)]
    assert frames[0].rgb.shape == (48, 128, 3)


def test_matroska_says_that_it_rounds_times(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path,
        Clip(
            time_base=Fraction(1, 30000),
            rate=Fraction(30000, 1001),
            times=tuple(range(0, 5005, 1001)),
        ),
    )
    warnings, _ = pass_through(source, tmp_path / "x.mkv")
    assert any("rounded to 1 ms" in warning for warning in warnings)
    errors = [
        new.time - old.time
        for new, old in zip(frames_of(tmp_path / "x.mkv"), frames_of(source), strict=True)
    ]
    assert max(abs(error) for error in errors) <= Fraction(1, 2000)


@pytest.mark.parametrize(
    "suffix,lost",
    [
        (".mp4", ["attachment"]),
        (".webm", ["audio", "attachment"]),
        (".avi", ["chapters", "subtitle", "subtitle", "attachment"]),
        (".ts", ["chapters", "subtitle", "subtitle", "attachment"]),
    ],
)
def test_what_a_container_cannot_hold_is_named_with_one_that_can(
    suffix: str, lost: list[str], tmp_path: Path
) -> None:
    source = make_clip(
        tmp_path, Clip(suffix=".mkv", audio=True, subtitles=2, chapters=True, attachment=True)
    )
    warnings, _ = pass_through(source, tmp_path / f"x{suffix}")
    named = [warning for warning in warnings if "not kept" in warning]
    assert len(named) == len(lost)
    for kind, warning in zip(lost, named, strict=True):
        assert kind in warning and "use .mkv" in warning


def test_a_warning_that_comes_late_does_not_move_the_others(tmp_path: Path) -> None:
    """Callers pass on what is new by its place."""
    source = make_clip(tmp_path, Clip(subtitles=1, times=(0, 500, 1000, 1550, 2100)))
    with open_video(source) as reader, create_video(tmp_path / "x.avi", reader.info) as writer:
        early = writer.warnings
        assert any("subtitle" in each for each in early)
        for each in reader:
            writer.write(each)
    assert writer.warnings[: len(early)] == early
    assert len(set(writer.warnings)) == len(writer.warnings) > len(early)


def test_sound_before_zero_does_not_move_the_video(tmp_path: Path) -> None:
    source = make_clip(tmp_path, Clip(audio=True))
    pass_through(source, tmp_path / "x.mkv")
    assert frames_of(tmp_path / "x.mkv")[0].time == 0
    assert packets_of(tmp_path / "x.mkv")[1][0][1] == 0


def test_sound_and_subtitles_can_be_left_out(tmp_path: Path) -> None:
    source = make_clip(tmp_path, Clip(suffix=".mkv", audio=True, subtitles=2))
    warnings, _ = pass_through(source, tmp_path / "x.mkv", audio=False, subtitles=False)
    assert warnings == []
    with av.open(str(tmp_path / "x.mkv")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_a_part_takes_only_its_own_sound_and_keeps_its_times(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path,
        Clip(
            suffix=".mkv", audio=True, time_base=Fraction(1, 1000), times=tuple(range(0, 280, 40))
        ),
    )
    start, end = Fraction(120, 1000), Fraction(200, 1000)
    with (
        open_video(source, start=start, end=end) as reader,
        create_video(tmp_path / "x.mkv", reader.info) as writer,
    ):
        for each in reader:
            writer.write(each)
    assert [each.time for each in frames_of(tmp_path / "x.mkv")] == [start, start + Fraction(1, 25)]
    whole, part = packets_of(source)[1], packets_of(tmp_path / "x.mkv")[1]
    assert part == [each for each in whole if each[1] < end and each[1] + each[2] > start]


def test_sound_is_read_no_further_than_the_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else memory would grow with the length of the video."""
    source = make_clip(tmp_path, Clip(suffix=".mkv", audio=True))
    taken: list[float] = []
    with open_video(source) as reader, create_video(tmp_path / "x.mkv", reader.info) as writer:
        following = writer._copier._next

        def spy() -> av.Packet | None:
            packet = following()
            if packet is not None:
                taken.append(float(packet.pts * packet.time_base))
            return packet

        monkeypatch.setattr(writer._copier, "_next", spy)
        for each in reader:
            writer.write(each)
            assert max(taken) <= float(each.time) + 0.03


def test_sound_lies_beside_its_pictures_in_the_file(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path,
        Clip(
            suffix=".mkv",
            audio=True,
            times=tuple(range(0, 8 * 512, 512)),
            options={"x264-params": "bframes=0"},
        ),
    )
    pass_through(source, tmp_path / "x.mkv", encoder_options={"x264-params": "bframes=0"})
    with av.open(str(tmp_path / "x.mkv")) as container:
        order = [packet.stream.index for packet in container.demux() if packet.size]
    assert 1 in order[:3] and 0 in order[-8:]
