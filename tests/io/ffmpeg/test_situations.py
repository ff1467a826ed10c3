"""Situations that reports about players, editors and converters told of."""

from __future__ import annotations

import gzip
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from spikedeblur.errors import InputError
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


def test_movies_that_were_joined_byte_by_byte(tmp_path: Path) -> None:
    """Of which every player shows the first."""
    one = make_clip(tmp_path, Clip()).read_bytes()
    path = tmp_path / "twice.mp4"
    path.write_bytes(one + one)
    with open_video(path) as reader:
        assert len(list(reader)) == 7
    assert reader.damaged == 1
    assert "2 movies, one behind the other: only the first is read" in reader.warnings[0]
    with pytest.raises(InputError, match="--strict"):
        open_video(path, strict=True)


def remux(clip: Path, path: Path, options: dict[str, str]) -> None:
    """Write the packets of a clip's video again, with options of the container."""
    with av.open(str(clip)) as source, av.open(str(path), "w", container_options=options) as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)


def test_fragments_are_one_movie(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    options = {"movflags": "frag_every_frame+empty_moov"}
    remux(make_clip(tmp_path, Clip()), path, options)
    whole = path.read_bytes()
    with open_video(path) as reader:
        assert (len(list(reader)), reader.damaged) == (7, 0)
    path.write_bytes(whole[whole.index(b"moof") - 4 :])
    with pytest.raises(InputError, match="initial segment"):
        open_video(path)


def test_an_encrypted_movie_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    remux(make_clip(tmp_path, Clip()), path, options)
    with pytest.raises(InputError, match="encrypted"):
        open_video(path)


@pytest.mark.parametrize(
    "content,said",
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html>403 Forbidden</html>", "a web page"),
        (gzip.compress(bytes(100)), "packed"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "a JPEG picture"),
        (b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x18mdat" + bytes(16), "its index (moov)"),
        (b"\0\0\0\x10ftypisom\0\0\0\0\0\1\0\0mdat" + bytes(16), "its index (moov)"),
    ],
    ids=["empty", "page", "gzip", "jpeg", "no index", "cut"],
)
def test_what_is_no_video_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_video(path)
    assert said in str(caught.value)


def test_sound_with_a_cover_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "x.mp3"
    with av.open(str(path), "w") as output:
        sound = output.add_stream("mp3", rate=44100)
        cover = output.add_stream("png", rate=25)
        cover.width, cover.height, cover.pix_fmt = 16, 16, "rgb24"
        cover.disposition = Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
        pictures = cover.encode(picture) + cover.encode(None)
        samples = av.AudioFrame.from_ndarray(
            np.zeros((2, 4608), np.float32), format="fltp", layout="stereo"
        )
        samples.sample_rate, samples.pts, samples.time_base = 44100, 0, Fraction(1, 44100)
        output.mux(sound.encode(samples) + sound.encode(None) + pictures)
    with pytest.raises(InputError, match=r"it holds: a cover, audio"):
        open_video(path)
