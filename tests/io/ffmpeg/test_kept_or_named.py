"""Container by codec by kind of what a video carries: each is kept, or named in a warning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import InputContainer
from av.stream import Disposition

from spikedeblur.io.ffmpeg.matroska import filler, put_in
from tests.io.clips import pass_through

CROP = bytes.fromhex("54bb8104 54aa8102")
ASPECT = Fraction(16, 11)
TARGETS = [
    (".mkv", "ffv1"),
    (".mkv", "libx264"),
    (".webm", "libvpx-vp9"),
    (".mp4", "libx264"),
    (".mp4", "libx265"),
    (".m4v", "libx264"),
    (".mov", "prores_ks"),
    (".mov", "libx264"),
    (".avi", "mpeg4"),
    (".avi", "ffv1"),
    (".ts", "libx264"),
    (".mxf", "mpeg2video"),
    (".flv", "libx264"),
    (".nut", "ffv1"),
]


@dataclass(frozen=True)
class Kind:
    """kept: whether a file has it, by PyAV alone. words: any of which a warning has."""

    kept: Callable[[InputContainer, Path], bool]
    words: tuple[str, ...]


def small(tags: dict[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in tags.items()}


def title_of_track(file: InputContainer, _: Path) -> bool:
    tags = small(file.streams.video[0].metadata)
    return "Cam A" in (tags.get("title"), tags.get("name"))


def turned(file: InputContainer, _: Path) -> bool:
    return next(file.decode(video=0)).rotation == 90


def same_packets(kind: str, count: int) -> Callable[[InputContainer, Path], bool]:
    def found(file: InputContainer, _: Path) -> bool:
        streams = [stream for stream in file.streams if stream.type == kind]
        packets = (each for each in file.demux(*streams) if each.size > 2) if streams else ()
        return sum(1 for _ in packets) == count

    return found


def forced(file: InputContainer, _: Path) -> bool:
    return any(
        stream.type == "subtitle" and stream.disposition & Disposition.forced
        for stream in file.streams
    )


KINDS = {
    "title": Kind(lambda file, _: small(file.metadata).get("title") == "A walk", ("title",)),
    "director": Kind(lambda file, _: small(file.metadata).get("director") == "X", ("director",)),
    "title of a track": Kind(title_of_track, ("title of stream 0", "title")),
    # QuickTime has another code for it.
    "language": Kind(
        lambda file, _: file.streams.video[0].metadata.get("language") in ("deu", "ger"),
        ("language of stream 0", "language"),
    ),
    "shape of pixels": Kind(
        lambda file, _: file.streams.video[0].sample_aspect_ratio == ASPECT, ("pixel aspect",)
    ),
    "rotation": Kind(turned, ("rotation",)),
    "crop": Kind(lambda _, path: CROP in path.read_bytes()[:4096], ("crop",)),
    "colours": Kind(
        lambda file, _: int(next(file.decode(video=0)).color_primaries) == 9, ("colour",)
    ),
    "chapters": Kind(
        lambda file, _: (
            [each["metadata"].get("title") for each in file.chapters() if each["metadata"]]
            == ["one"]
        ),
        ("chapters",),
    ),
    "attachment": Kind(
        lambda file, _: (
            [each.data for each in file.streams if each.type == "attachment"] == [b"attached"]
        ),
        ("attachment",),
    ),
    "sound": Kind(same_packets("audio", 10), ("audio stream", "sound before")),
    "subtitles": Kind(same_packets("subtitle", 2), ("subtitle stream",)),
    "forced": Kind(forced, ("forced", "subtitle stream")),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Matroska that has all of it."""
    path = tmp_path_factory.mktemp("all") / "in.mkv"
    with av.open(str(path), "w") as output:
        output.metadata.update({"title": "A walk", "director": "X"})
        video = output.add_stream("libx264", rate=25)
        context = video.codec_context
        context.width, context.height, context.pix_fmt = 64, 48, "yuv420p"
        context.color_primaries, context.sample_aspect_ratio = 9, ASPECT
        context.options = {"qp": "0", "bf": "0"}
        video.set_display_rotation(90)
        video.metadata.update({"title": "Cam A" + filler(CROP), "language": "deu"})
        sound = output.add_stream("mp2", rate=48000, layout="mono")
        text = output.add_mux_stream("subrip")
        text.time_base, text.disposition = Fraction(1, 1000), Disposition.forced
        output.add_attachment("note.txt", "text/plain", b"attached")
        mark = {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000)}
        output.set_chapters([{**mark, "metadata": {"title": "one"}}])
        for number in range(8):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 99, np.uint8), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for block in range(10):
            blank = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16", "mono")
            blank.sample_rate, blank.time_base = 48000, Fraction(1, 48000)
            blank.pts = block * 1152
            output.mux(sound.encode(blank))
        output.mux(sound.encode(None))
        for begin in (20, 150):
            packet = av.Packet(b"words")
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts, packet.dts, packet.duration = begin, begin, 80
            output.mux(packet)
    assert put_in(path, CROP, "Cam A")
    for name, kind in KINDS.items():
        with av.open(str(path)) as file:
            assert kind.kept(file, path), name
    return path


@pytest.mark.parametrize("suffix,codec", TARGETS)
def test_each_is_kept_or_named(suffix: str, codec: str, source: Path, tmp_path: Path) -> None:
    target = tmp_path / f"out{suffix}"
    warnings, _ = pass_through(source, target, codec=codec)
    lost = []
    for name, kind in KINDS.items():
        with av.open(str(target)) as file:
            kept = kind.kept(file, target)
        named = any(word in each.lower() for each in warnings for word in kind.words)
        if not kept and not named:
            lost.append(name)
    assert lost == [], warnings


def test_matroska_keeps_all(source: Path, tmp_path: Path) -> None:
    pass_through(source, tmp_path / "out.mkv")
    for name, kind in KINDS.items():
        with av.open(str(tmp_path / "out.mkv")) as file:
            assert kind.kept(file, tmp_path / "out.mkv"), name
