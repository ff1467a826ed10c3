"""Situations that reports about players, editors and converters told of."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from spikedeblur.io.video import open_video
from tests.io.clips import Clip, make_clip, pass_through
from tests.io.comparison import chapters


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_first_chapter_that_begins_late(suffix: str, tmp_path: Path) -> None:
    """MP4's muxer lets it begin at zero."""
    source = tmp_path / "in.mkv"
    clip = make_clip(tmp_path, Clip(suffix=".mkv"))
    with av.open(str(clip)) as old, av.open(str(source), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
        new.set_chapters(
            [
                {
                    "id": number,
                    "start": begin,
                    "end": begin + 100,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": f"part {number}"},
                }
                for number, begin in ((1, 80), (2, 180))
            ]
        )
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    pass_through(source, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        titled = [each for each in container.chapters() if each["metadata"].get("title")]
        found = [(each["start"] * each["time_base"], each["metadata"]["title"]) for each in titled]
    assert found == [(Fraction(8, 100), "part 1"), (Fraction(18, 100), "part 2")]
    with av.open(str(source)) as container:
        assert len(chapters(container)) == 2


def test_a_film_strip_before_the_film(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as output:
        strip = output.add_stream("mjpeg", rate=1)
        film = output.add_stream("mpeg4", rate=25)
        strip.width, strip.height, strip.pix_fmt = 32, 24, "yuvj420p"
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        strip.disposition, film.disposition = Disposition(0), Disposition.default
        output.container_options["default_mode"] = "passthrough"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 90, np.uint8), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            if number == 0:
                small = frame.reformat(32, 24, "yuvj420p")
                small.pts, small.time_base = 0, Fraction(1, 1)
                output.mux(strip.encode(small))
            output.mux(film.encode(frame))
        output.mux(strip.encode(None))
        output.mux(film.encode(None))
    with open_video(source) as reader:
        assert (reader.info.width, len(list(reader))) == (64, 10)
    warnings, _ = pass_through(source, tmp_path / "out.mkv")
    assert any("video stream 0 is copied as it is" in each for each in warnings)
    with open_video(tmp_path / "out.mkv") as reader:
        assert (reader.info.width, len(list(reader))) == (64, 10)


def test_frames_that_an_edit_list_leaves_out_are_not_expected(tmp_path: Path) -> None:
    """A cut without encoding keeps all from the key frame on, and hides what comes before."""
    whole = make_clip(
        tmp_path, Clip(times=tuple(range(0, 50 * 512, 512)), options={"g": "100", "bf": "0"})
    )
    path = tmp_path / "cut.mp4"
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                packet.pts, packet.dts = packet.pts - 20 * 512, packet.dts - 20 * 512
                new.mux(packet)
    with open_video(path) as reader:
        expected, read = reader.info.frame_count_estimate, len(list(reader))
    assert read == 30 and expected is not None and abs(expected - read) <= 1
