"""Times that a format cannot hold as they are: half steps of its grid, before zero, late sound."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.io.video import create_video, open_video
from tests.io.clips import Clip, make_clip, packets_of, pass_through

RATE = 25


def read_times(path: Path) -> list[Fraction]:
    """Times of the frames by PyAV alone, seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stamps = [
            (packet.pts if packet.pts is not None else packet.dts) * packet.time_base
            for packet in container.demux(stream)
            if packet.size
        ]
    return sorted(stamps)


def steps(times: list[Fraction]) -> set[Fraction]:
    return {later - earlier for earlier, later in pairwise(times)}


@pytest.mark.parametrize(
    "suffix,codec",
    [(".avi", "ffv1"), (".mxf", "mpeg2video"), (".vob", "mpeg2video"), (".mkv", "mpeg4")],
)
@pytest.mark.parametrize("phase_ms", [20, 13, 0])
def test_equal_steps_stay_equal_off_the_grid(
    suffix: str, codec: str, phase_ms: int, tmp_path: Path
) -> None:
    """Every frame lies half a step beside the grid, or elsewhere between its points."""
    times = tuple(phase_ms + 40 * number for number in range(12))
    clip = Clip(suffix=".mkv", codec="ffv1", times=times, time_base=Fraction(1, 1000))
    target = tmp_path / f"out{suffix}"
    pass_through(make_clip(tmp_path, clip), target, codec=codec)
    found = read_times(target)
    assert len(found) == 12 and steps(found) == {Fraction(1, RATE)}


def test_rounded_times_of_30_frames_a_second_stay_apart_in_avi(tmp_path: Path) -> None:
    times = tuple(round(1000 * (Fraction(1, 60) + Fraction(number, 30))) for number in range(20))
    clip = Clip(
        suffix=".mkv", codec="ffv1", times=times, time_base=Fraction(1, 1000), rate=Fraction(30)
    )
    pass_through(make_clip(tmp_path, clip), tmp_path / "out.avi")
    assert steps(read_times(tmp_path / "out.avi")) == {Fraction(1, 30)}


@pytest.mark.parametrize("shown", [[*range(8), *range(20, 30)], [0, *range(5, 20)]], ids=str)
@pytest.mark.parametrize(
    "codec,options",
    [("libx264", {"bf": "3", "b_strategy": "0"}), ("libx264", {"bf": "1"}), ("mpeg4", {"bf": "2"})],
)
def test_frames_that_an_avi_leaves_out_are_missed(
    codec: str, options: dict[str, str], shown: list[int], tmp_path: Path
) -> None:
    """As of a screen recorder that was too slow. Reordered frames have no times of their own."""
    times = tuple(40 * number for number in shown)
    clip = Clip(suffix=".mkv", codec="ffv1", times=times, time_base=Fraction(1, 1000))
    target = tmp_path / "out.avi"
    pass_through(make_clip(tmp_path, clip), target, codec=codec, encoder_options=options)
    with open_video(target) as reader:
        found = [frame.time * RATE for frame in reader]
    assert found == shown
    assert "frames are counted" in " ".join(reader.warnings)


def test_a_picture_that_is_repeated_by_an_empty_packet_lasts_longer(tmp_path: Path) -> None:
    """As Theora does, of which PyAV has no encoder: neither damage nor the end."""
    path = tmp_path / "x.nut"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=RATE, options={"g": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([60 + 10 * number]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            for packet in stream.encode(frame):
                written = packet if number % 4 == 0 else av.Packet(0)
                written.stream, written.time_base = stream, packet.time_base
                written.pts, written.dts = packet.pts, packet.dts
                output.mux(written)
    with open_video(path) as reader:
        frames = list(reader)
    assert [frame.time * RATE for frame in frames] == [0, 4, 8]
    assert [frame.interval * RATE for frame in frames[:2]] == [4, 4]
    assert (reader.damaged, reader.warnings) == (0, [])


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_an_avi_whose_frames_are_not_reordered_begins_with_its_first_one(
    codec: str, tmp_path: Path
) -> None:
    """FFmpeg guesses that H.264 is shown a frame late, and so would its exposures be."""
    times = tuple(40 * number for number in [*range(8), *range(20, 30)])
    clip = Clip(suffix=".mkv", codec="ffv1", times=times, time_base=Fraction(1, 1000))
    options = {"bf": "0"} if codec == "libx264" else {}
    target = tmp_path / "out.avi"
    pass_through(make_clip(tmp_path, clip), target, codec=codec, encoder_options=options)
    with open_video(target) as reader:
        assert reader.info.begin == 0
        assert [1000 * frame.time for frame in reader] == list(times)


def test_a_part_begins_at_the_beginning_of_an_avi(tmp_path: Path) -> None:
    """Whose muxer would fill the time before it."""
    source = make_clip(tmp_path, Clip(suffix=".mkv", codec="ffv1"))
    with (
        open_video(source, start=Fraction(3, RATE)) as reader,
        create_video(tmp_path / "part.avi", reader.info) as writer,
    ):
        for frame in reader:
            writer.write(frame)
    assert read_times(tmp_path / "part.avi") == [Fraction(number, RATE) for number in range(4)]


@pytest.fixture
def wrapping(tmp_path: Path) -> Path:
    """A transport stream whose clock of 33 bits wraps half a second after its beginning; sound
    begins 0.1 s before the pictures.
    """
    path = tmp_path / "wrap.ts"
    begin = 2**33 - 45_000
    with av.open(str(path), "w", options={"muxdelay": "0"}) as output:
        video = output.add_stream("mpeg2video", rate=RATE)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("mp2", rate=48000, layout="mono")
        packets = []
        for number in range(RATE):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 9, np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            packets += video.encode(frame)
        packets += video.encode(None)
        for block in range(40):
            blank = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16", "mono")
            blank.sample_rate, blank.pts = 48000, block * 1152
            blank.time_base = Fraction(1, 48000)
            packets += sound.encode(blank)
        packets += sound.encode(None)
        for packet in sorted(packets, key=lambda each: each.dts * each.time_base):
            early = 9000 if packet.stream.type == "audio" else 0
            base, scale = packet.time_base, Fraction(1, 90_000)
            packet.pts = int(packet.pts * base / scale) + begin - early
            packet.dts = int(packet.dts * base / scale) + begin - early
            packet.duration = int(packet.duration * base / scale)
            packet.time_base = scale
            output.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_streams_before_zero_move_together(suffix: str, wrapping: Path, tmp_path: Path) -> None:
    target = tmp_path / f"out{suffix}"
    before = read_times(wrapping)
    assert before[0] < 0
    warnings, info = pass_through(wrapping, target)
    after = read_times(target)
    assert [each for each in warnings if "before the zero of its clock" in each]
    assert after[0] >= 0 and len(after) == len(before)
    tolerance = Fraction(1, 900)  # Matroska's grid
    moved = [new - old for old, new in zip(before, after, strict=True)]
    assert all(abs(each - info.delay) <= tolerance for each in moved)
    old, new = packets_of(wrapping)[1], packets_of(target)[1]
    assert len(new) == len(old)
    assert all(
        abs(late[1] - early[1] - info.delay) <= tolerance
        for early, late in zip(old, new, strict=True)
    )


def test_a_part_after_zero_is_not_moved(wrapping: Path, tmp_path: Path) -> None:
    with open_video(wrapping, start=Fraction(0)) as reader:
        assert reader.info.delay == 0
        with create_video(tmp_path / "part.mp4", reader.info) as writer:
            times = [frame.time for frame in reader if writer.write(frame) is None]
    assert times[0] >= 0 and read_times(tmp_path / "part.mp4") == times


@pytest.mark.parametrize("late_ms,said", [(480, True), (0, False)])
def test_sound_that_begins_late_is_said_where_it_is_lost(
    late_ms: int, said: bool, tmp_path: Path
) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as output:
        video = output.add_stream("ffv1", rate=RATE)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("mp2", rate=48000, layout="mono")
        for number in range(RATE):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(video.encode(frame))
        for block in range(20):
            blank = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16", "mono")
            blank.sample_rate, blank.time_base = 48000, Fraction(1, 48000)
            blank.pts = late_ms * 48 + block * 1152
            output.mux(sound.encode(blank))
        output.mux(sound.encode(None))
    for suffix in (".avi", ".mp4"):
        warnings, _ = pass_through(path, tmp_path / f"out{suffix}")
        late = [each for each in warnings if "the sound of stream 1 begins 0.4" in each]
        assert bool(late) == (said and suffix == ".avi")
