"""What lies beside the pictures, by container, codec and kind: kept, named, or not there at all."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.io.ffmpeg.matroska import display_elements, filler, frame_geometry, put_in
from spikedeblur.io.ffmpeg.metadata import moved_timecode
from spikedeblur.io.video import create_video, open_video
from tests.io.clips import Clip, frames_of, make_clip, pass_through

ASPECT = Fraction(16, 11)
SHAPED = [
    (".mkv", "ffv1"),
    (".mkv", "libx264"),
    (".mkv", "mpeg4"),
    (".webm", "libvpx-vp9"),
    (".webm", "libsvtav1"),
    (".mp4", "libx264"),
    (".mp4", "libx265"),
    (".mov", "prores_ks"),
    (".avi", "mpeg4"),
    (".avi", "ffv1"),
    (".ts", "libx264"),
]


def aspect_of(path: Path) -> Fraction | None:
    with av.open(str(path)) as container:
        return container.streams.video[0].sample_aspect_ratio


@pytest.fixture(scope="module")
def shaped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pixels of 16:11, said by the container alone: FFV1 in Matroska."""
    folder = tmp_path_factory.mktemp("shaped")
    path = make_clip(
        folder, Clip(suffix=".mov", codec="prores_ks", pix_fmt="yuv422p10le", aspect=ASPECT)
    )
    assert aspect_of(path) == ASPECT
    return path


@pytest.mark.parametrize("suffix,codec", SHAPED)
def test_the_shape_of_pixels_is_kept_or_named(
    suffix: str, codec: str, shaped: Path, tmp_path: Path
) -> None:
    target = tmp_path / f"out{suffix}"
    warnings, _ = pass_through(shaped, target, codec=codec)
    named = [each for each in warnings if "pixel aspect" in each]
    kept = aspect_of(target) == ASPECT
    assert kept != bool(named)
    assert kept or suffix == ".avi"
    assert len(frames_of(target)) == 7


@pytest.mark.parametrize("title", ["", "Cam A", "x" * 130])
def test_matroska_is_as_before_but_for_the_shape(title: str, shaped: Path, tmp_path: Path) -> None:
    with open_video(shaped) as reader:
        info = reader.info
        frames = list(reader)
    info.stream_metadata.clear()
    info.stream_metadata.update({"title": title} if title else {})
    target = tmp_path / "out.mkv"
    with create_video(target, info) as writer:
        for frame in frames:
            writer.write(frame)
    with av.open(str(target)) as container:
        assert container.streams.video[0].metadata.get("title", "") == title
        assert len(list(container.decode(video=0))) == 7
    content = target.read_bytes()
    assert b"\x7f" * 8 not in content[:4096]


def with_geometry(path: Path, elements: bytes) -> Path:
    """A Matroska video with some elements of its frame."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["title"] = filler(elements)
        for number in range(3):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert put_in(path, elements, "")
    return path


CROP = bytes.fromhex("54bb8104 54aa8102 54cc8108 54b08138 54ba812a")
# An equirectangular projection: type 1, and its private data, an equi box.
SPHERE = bytes.fromhex("7670 9b 767181 01 767294") + bytes(20)


@pytest.mark.parametrize(
    "elements,words",
    [(CROP, "crop (4 top, 2 bottom, 8 left)"), (SPHERE, "projection")],
    ids=["crop", "projection"],
)
def test_crop_and_projection_are_kept_in_matroska_and_named_elsewhere(
    elements: bytes, words: str, tmp_path: Path
) -> None:
    source = with_geometry(tmp_path / "in.mkv", elements)
    found = frame_geometry(source)
    assert found is not None and elements in found.elements and found.words() == words
    warnings, _ = pass_through(source, tmp_path / "out.mkv")
    again = frame_geometry(tmp_path / "out.mkv")
    assert again is not None and again.elements == found.elements
    assert not [each for each in warnings if "not kept" in each]
    warnings, _ = pass_through(source, tmp_path / "out.mp4")
    assert [each for each in warnings if words.split()[0] in each and "not kept" in each]


def test_another_build_of_ffmpeg_reads_the_shape_and_the_check_sums(tmp_path: Path) -> None:
    path = with_geometry(tmp_path / "in.mkv", display_elements((64, 48), ASPECT))
    try:
        run = subprocess.run(
            [
                *("ffprobe", "-v", "warning", "-err_detect", "crccheck", "-of", "json"),
                *("-show_entries", "stream=sample_aspect_ratio", str(path)),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        pytest.skip("no ffprobe here")
    assert json.loads(run.stdout)["streams"][0]["sample_aspect_ratio"] == "16:11"
    assert run.stderr == ""


def test_a_name_without_room_is_left_alone(tmp_path: Path) -> None:
    path = make_clip(tmp_path, Clip(suffix=".mkv"))
    before = path.read_bytes()
    assert not put_in(path, CROP, "")
    assert path.read_bytes() == before
    assert frame_geometry(tmp_path / "nothing.mkv") is None


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_cut_header_is_no_harm(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.mkv"
    path.write_bytes(with_geometry(tmp_path / "in.mkv", CROP).read_bytes()[:cut])
    frame_geometry(path)
    put_in(path, CROP, "")


def test_timecodes_by_counting() -> None:
    """Against a clock that counts frame by frame and leaves numbers out as SMPTE ST 12-1 says."""
    for nominal, drop, rate, mark in (
        (30, 2, Fraction(30000, 1001), ";"),
        (60, 4, Fraction(60000, 1001), ";"),
        (25, 0, Fraction(25), ":"),
    ):
        minutes = seconds = number = 0
        for frames in range(20_000):
            meant = f"00:{minutes:02}:{seconds:02}{mark}{number:02}"
            if frames % 37 == 0 or number in (0, drop):
                assert moved_timecode(f"00:00:00{mark}00", frames, rate) == meant
            number += 1
            if number == nominal:
                seconds, number = seconds + 1, 0
            if seconds == 60:
                minutes, seconds = minutes + 1, 0
                number = drop if minutes % 10 else 0
    assert moved_timecode("23:59:59:24", 1, Fraction(25)) == "00:00:00:00"
    assert moved_timecode("anything", 5, Fraction(25)) == "anything"


def test_a_part_has_the_timecode_of_its_first_frame(tmp_path: Path) -> None:
    source = tmp_path / "in.mov"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["timecode"] = "01:00:00:20"
        for number in range(20):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with (
        open_video(source, start=Fraction(10, 25)) as reader,
        create_video(tmp_path / "out.mov", reader.info) as writer,
    ):
        for frame in reader:
            writer.write(frame)
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].metadata["timecode"] == "01:00:01:05"


def test_a_second_video_is_said_to_be_copied(tmp_path: Path) -> None:
    source = tmp_path / "two.mkv"
    with av.open(str(source), "w") as output:
        streams = [output.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(np.full((72, 64), 99, np.uint8), "yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    warnings, _ = pass_through(source, tmp_path / "out.mkv")
    assert [each for each in warnings if "video stream 1 is copied as it is" in each]
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert len(container.streams.video) == 2


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".ts", ".avi"])
def test_a_second_video_with_reordered_frames_is_kept_whole_or_named(
    suffix: str, tmp_path: Path
) -> None:
    """Matroska tells when frames are shown; when the first ones are decoded has to be reckoned."""
    source, result = tmp_path / "two.mkv", tmp_path / f"out{suffix}"
    with av.open(str(source), "w") as output:
        streams = [output.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, pyramid in zip(streams, ("none", "strict"), strict=True):
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.options = {"bf": "3", "b_strategy": "0", "x264-params": f"b-pyramid={pyramid}"}
        for number in range(20):
            for stream in streams:
                luma = np.full((72, 64), 100 + 5 * number, np.uint8)
                frame = av.VideoFrame.from_ndarray(luma, "yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    with av.open(str(source)) as container:
        assert next(container.demux(video=1)).dts is None
    warnings, _ = pass_through(source, result)
    assert not [each for each in warnings if "left out" in each]
    with av.open(str(result)) as container:
        if suffix == ".avi":
            assert len(container.streams.video) == 1
            assert [each for each in warnings if "stream 1 (h264) is not kept in avi" in each]
            return
        times = [frame.time for frame in container.decode(video=1)]
    np.testing.assert_allclose(np.diff(times), 1 / 25, atol=1e-3)
    assert len(times) == 20


def test_stereo_is_kept_by_matroska_and_named_elsewhere(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["stereo_mode"] = "left_right"
        for number in range(3):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    warnings, _ = pass_through(source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.video[0].metadata["stereo_mode"] == "left_right"
    assert not [each for each in warnings if "stereo" in each]
    warnings, _ = pass_through(source, tmp_path / "out.mp4")
    assert [each for each in warnings if "stereo" in each]


@pytest.mark.parametrize(("suffix", "kept"), [(".mov", True), (".mkv", False)])
def test_the_arrangement_of_channels_is_kept_or_said(
    suffix: str, kept: bool, tmp_path: Path
) -> None:
    """Of uncompressed sound Matroska holds their number alone."""
    source = tmp_path / "five.mov"
    with av.open(str(source), "w") as new:
        video = new.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        audio = new.add_stream("pcm_s16le", rate=48000, layout="5.0(side)")
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8), format="rgb24")
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        new.mux(video.encode(picture) + video.encode(None))
        silence = np.zeros((1, 5 * 4800), np.int16)
        sound = av.AudioFrame.from_ndarray(silence, format="s16", layout="5.0(side)")
        sound.pts, sound.sample_rate, sound.time_base = 0, 48000, Fraction(1, 48000)
        new.mux(audio.encode(sound) + audio.encode(None))
    warnings, _ = pass_through(source, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as file:
        assert (file.streams.audio[0].codec_context.layout.name == "5.0(side)") == kept
    assert any("5.0(side)" in each for each in warnings) != kept
