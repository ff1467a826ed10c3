"""Subtitles, also ones that overlap: what is shown at any moment is what was shown then."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from spikedeblur.io.ffmpeg.subtitles import OneAtATime
from tests.io.clips import Clip, make_clip, pass_through

# (begin, end, text), ms: overlapping, beginning together, one within another, apart.
EVENTS = [
    (0, 300, "A"),
    (100, 400, "B"),
    (200, 500, "C"),
    (700, 900, "D"),
    (700, 800, "E"),
    (1000, 1900, "F"),
    (1100, 1200, "G"),
    (1950, 1990, "H"),
]
ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,16
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def with_events(path: Path, form: str) -> Path:
    """A video of two seconds and all events, in one format of text."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("mpeg4" if path.suffix == ".mkv" else "libvpx", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        if form == "ass":
            text = output.add_stream("ass")
            text.codec_context.subtitle_header = ASS_HEADER
            text.codec_context.time_base = Fraction(1, 1000)
            text.codec_context.open()
        else:
            text = output.add_mux_stream(form)
            text.time_base = Fraction(1, 1000)
        for number in range(50):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for number, (begin, end, words) in enumerate(EVENTS):
            line = f"{number},0,Default,,0,0,0,,{words}" if form == "ass" else words
            packet = av.Packet(line.encode())
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts = packet.dts = begin
            packet.duration = end - begin
            output.mux(packet)
    return path


def shown_at(path: Path) -> list[set[str]]:
    """The letters on the screen every 10 ms, from each packet's begin and length by PyAV."""
    moments: list[set[str]] = [set() for _ in range(200)]
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            if packet.size:
                begin = packet.pts * packet.time_base * 100
                end = begin + packet.duration * packet.time_base * 100
                letters = {chr(each) for each in bytes(packet)[-9:]} & set("ABCDEFGH")
                for moment in range(200):
                    if begin <= moment < end:
                        moments[moment] |= letters
    return moments


MEANT = [
    {words for begin, end, words in EVENTS if begin <= 10 * moment < end} for moment in range(200)
]


@pytest.mark.parametrize("form,source", [("subrip", ".mkv"), ("ass", ".mkv"), ("webvtt", ".webm")])
@pytest.mark.parametrize("target", [".mkv", ".webm", ".mp4", ".mov"])
def test_no_event_is_later_or_longer(form: str, source: str, target: str, tmp_path: Path) -> None:
    path = with_events(tmp_path / f"in{source}", form)
    assert shown_at(path) == MEANT
    pass_through(path, tmp_path / f"out{target}")
    assert shown_at(tmp_path / f"out{target}") == MEANT


@pytest.mark.parametrize("target", [".mkv", ".webm", ".mov"])
def test_from_mp4(target: str, tmp_path: Path) -> None:
    pass_through(with_events(tmp_path / "in.mkv", "subrip"), tmp_path / "between.mp4")
    pass_through(tmp_path / "between.mp4", tmp_path / f"out{target}")
    assert shown_at(tmp_path / f"out{target}") == MEANT


def test_an_event_of_unknown_length_lasts_until_the_next() -> None:
    queue, samples = OneAtATime(), []
    for begin, length in ((0, None), (500, 100), (900, None)):
        packet = av.Packet(b"\0\1A")
        packet.pts, packet.time_base = begin, Fraction(1, 1000)
        packet.duration = length
        samples += queue.add(packet)
    samples += queue.flush()
    assert [(each.pts, each.duration) for each in samples] == [(0, 500), (500, 100), (900, 0)]


@pytest.mark.parametrize("target", [".mkv", ".m2ts"])
def test_pictures_keep_their_times(target: str, tmp_path: Path) -> None:
    """PGS: each display set says when it is shown, and an empty one ends it."""
    source = make_clip(tmp_path, Clip(suffix=".mkv"))
    path = tmp_path / "pgs.mkv"
    composition = b"\x16\0\x0b" + b"\0\x60\0\x40\x10\0%c\x80\0\0\0"  # of no object
    sets = [(begin, composition % number + b"\x80\0\0") for number, begin in enumerate((40, 160))]
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        video = new.add_stream_from_template(old.streams.video[0], opaque=True)
        text = new.add_mux_stream("hdmv_pgs_subtitle")
        text.time_base = Fraction(1, 1000)
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = video
                new.mux(packet)
        for begin, data in sets:
            packet = av.Packet(data)
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts = packet.dts = begin
            new.mux(packet)
    pass_through(path, tmp_path / f"out{target}")
    found = []
    with av.open(str(tmp_path / f"out{target}")) as container:
        video_begin = container.streams.video[0].start_time * container.streams.video[0].time_base
        for packet in container.demux(subtitles=0):
            if packet.size:
                found.append(packet.pts * packet.time_base - video_begin)
    assert found == [Fraction(begin, 1000) for begin, _ in sets]
