"""What stands beside the video: cover pictures, subtitles, and which streams play by default."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from av.subtitles.subtitle import SubtitleSet

from spikedeblur.io.image_files import write_image
from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from tests.io.clips import Clip, frames_of, make_clip, packets_of, pass_through

HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Bold, Italic, Underline, Alignment
Style: Default,Arial,16,&Hffffff,0,0,0,2

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def with_cover(folder: Path, suffix: str) -> tuple[Path, bytes]:
    """A clip with a cover picture, and the bytes of the picture."""
    clip = make_clip(folder, Clip(suffix=suffix, audio=True))
    image, path = folder / "cover.png", folder / f"covered{suffix}"
    write_image(image, np.full((20, 30, 3), 90, np.uint8))
    with (
        av.open(str(clip)) as source,
        av.open(str(image)) as cover,
        av.open(str(path), "w") as output,
    ):
        streams = {
            stream.index: output.add_stream_from_template(stream) for stream in source.streams
        }
        if suffix == ".mkv":
            output.add_attachment("front.png", "image/png", image.read_bytes())
        else:
            picture = output.add_stream_from_template(cover.streams.video[0])
            picture.disposition = Disposition.attached_pic
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
        if suffix != ".mkv":
            packet = next(cover.demux())
            packet.stream = picture
            output.mux(packet)
    return path, image.read_bytes()


def cover_of(path: Path) -> bytes:
    with av.open(str(path)) as container:
        (cover,) = (
            stream
            for stream in container.streams.video
            if stream.disposition & Disposition.attached_pic
        )
        return next(bytes(packet) for packet in container.demux(cover) if packet.size)


@pytest.mark.parametrize("before", [".mp4", ".mkv"])
@pytest.mark.parametrize("after", [".mp4", ".mkv"])
def test_a_cover_picture_is_kept(before: str, after: str, tmp_path: Path) -> None:
    source, picture = with_cover(tmp_path, before)
    warnings, info = pass_through(source, tmp_path / f"x{after}")
    assert not [each for each in warnings if "not kept" in each]
    assert cover_of(tmp_path / f"x{after}") == picture
    assert info.codec == "h264"  # the cover was not taken for the video
    if before == after == ".mkv":
        with av.open(str(tmp_path / "x.mkv")) as container:
            assert container.streams.video[1].metadata["filename"] == "front.png"


@pytest.mark.parametrize("flags", [(0, 1), (1, 0), (1, 1)])
def test_what_plays_by_default_stays_so_in_matroska(flags: tuple[int, int], tmp_path: Path) -> None:
    """Also where the first stream of a kind does not: muxers would like to choose it."""
    clip = make_clip(tmp_path, Clip(suffix=".mkv", audio=True))
    source = tmp_path / "flags.mkv"
    with (
        av.open(str(clip)) as old,
        av.open(str(source), "w", container_options={"default_mode": "passthrough"}) as output,
    ):
        for stream, default in zip(old.streams, flags, strict=True):
            output.add_stream_from_template(stream).disposition = Disposition(default)
        for packet in old.demux():
            if packet.size:
                packet.stream = output.streams[packet.stream.index]
                output.mux(packet)
    pass_through(source, tmp_path / "x.mkv")
    for path in (source, tmp_path / "x.mkv"):
        with av.open(str(path)) as container:
            assert tuple(int(stream.disposition) for stream in container.streams) == flags
    assert packets_of(source) == packets_of(tmp_path / "x.mkv")


def test_transparency_beside_the_pictures_is_said_to_be_lost(tmp_path: Path) -> None:
    source = tmp_path / "alpha.webm"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        frame = av.VideoFrame(64, 48, "yuva420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    warnings, _ = pass_through(source, tmp_path / "x.webm")
    assert warnings == ["transparency (vp9) is not kept"]
    with av.open(str(tmp_path / "x.webm")) as container:
        assert "alpha_mode" not in {key.lower() for key in container.streams[0].metadata}


def subtitled(folder: Path, suffix: str, codec: str, texts: list[bytes]) -> Path:
    """A clip with one subtitle stream of `texts`, 80 ms each, at 20 ms, 120 ms, ..."""
    clip, path = make_clip(folder, Clip(suffix=suffix)), folder / f"texts{suffix}"
    with av.open(str(clip)) as source, av.open(str(path), "w") as output:
        video = output.add_stream_from_template(source.streams.video[0])
        stream = output.add_stream(codec)
        stream.codec_context.subtitle_header = HEADER
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.metadata["language"] = "deu"
        stream.disposition = Disposition.forced
        for packet in source.demux(0):
            if packet.size:
                packet.stream = video
                output.mux(packet)
        for number, text in enumerate(texts):
            shown = SubtitleSet.create(b"%d,0,Default,,0,0,0,,%s" % (number, text), 0, 80)
            packet = stream.codec_context.encode_subtitle(shown)
            packet.pts = packet.dts = 20 + 100 * number
            packet.duration, packet.time_base, packet.stream = 80, Fraction(1, 1000), stream
            output.mux(packet)
    return path


def dialogue(path: Path) -> list[tuple[bytes, Fraction, Fraction]]:
    """(text, begin, duration) of the subtitles, as FFmpeg reads them."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.subtitles
        assert stream.metadata["language"] in {"deu", "ger"}
        # Which mov has no mark for, as it has said.
        assert stream.disposition & Disposition.forced or path.suffix == ".mov"
        return [
            (shown[0].dialogue, packet.pts * packet.time_base, packet.duration * packet.time_base)
            for packet in container.demux(stream)
            if packet.size
            for shown in [stream.codec_context.decode2(packet)]
            if shown
        ]


@pytest.mark.parametrize(
    "before,codec,after,form,better",
    [
        (".mkv", "subrip", ".mp4", "mov_text", ".mkv"),
        (".mkv", "ass", ".mov", "mov_text", ".mkv"),
        (".mp4", "mov_text", ".mkv", "subrip", ".mp4"),
        (".mkv", "ass", ".webm", "webvtt", ".mkv"),
        (".webm", "webvtt", ".mp4", "mov_text", ".mkv"),
        (".mkv", "subrip", ".webm", "webvtt", ".mkv"),
    ],
)
def test_subtitles_become_the_text_the_other_format_holds(
    before: str, codec: str, after: str, form: str, better: str, tmp_path: Path
) -> None:
    texts = [b"Gr\xc3\xbc\xc3\x9fe & 3", b"two\\Nlines"]
    if before == ".webm":
        source = subtitled(tmp_path, ".mkv", codec, texts).rename(tmp_path / "texts.webm.mkv")
    else:
        source = subtitled(tmp_path, before, codec, texts)
    warnings, _ = pass_through(source, tmp_path / f"x{after}")
    (said,) = (warning for warning in warnings if "subtitle" in warning)
    assert (after == ".mov") == any("(forced)" in warning for warning in warnings)
    assert form in said and f"use {better}" in said
    with av.open(str(tmp_path / f"x{after}")) as container:
        assert container.streams.subtitles[0].codec_context.codec.canonical_name == form
    assert dialogue(tmp_path / f"x{after}") == dialogue(source)
    assert [begin for _, begin, _ in dialogue(source)] == [Fraction(1, 50), Fraction(3, 25)]


@pytest.mark.parametrize("after", [".mov", ".mp4", ".mkv"])
def test_the_timecode_is_kept(after: str, tmp_path: Path) -> None:
    """In MOV and MP4 it is a stream of its own, which the muxer makes of the video's tag."""
    info = replace(
        VideoInfo.synthetic(64, 48, 25, "yuv420p"),
        container="mov",
        stream_metadata={"timecode": "01:02:03:04"},
    )
    with create_video(tmp_path / "tc.mov", info) as writer:
        for number in range(3):
            writer.write(
                VideoFrame(
                    number,
                    number,
                    info.time_base,
                    1,
                    info.time_base,
                    np.zeros((48, 64, 3), np.uint8),
                )
            )
    warnings, _ = pass_through(tmp_path / "tc.mov", tmp_path / f"x{after}")
    assert warnings == []
    with av.open(str(tmp_path / f"x{after}")) as container:
        video, *others = container.streams
        assert {key.lower(): value for key, value in video.metadata.items()}[
            "timecode"
        ] == "01:02:03:04"
        assert len(others) == (0 if after == ".mkv" else 1)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_what_an_edit_list_hides_stays_hidden(suffix: str, tmp_path: Path) -> None:
    """A clip cut without encoding holds frames and sound before its beginning."""
    clip = make_clip(
        tmp_path, Clip(suffix=suffix, audio=True, times=tuple(range(0, 12 * 512, 512)))
    )
    source, target = tmp_path / f"cut{suffix}", tmp_path / f"x{suffix}"
    with (
        av.open(str(clip)) as old,
        av.open(
            str(source),
            "w",
            container_options={"avoid_negative_ts": "disabled", "movie_timescale": "90000"},
        ) as output,
    ):
        for stream in old.streams:
            output.add_stream_from_template(stream)
        for packet in old.demux():
            if packet.size:
                cut = round(Fraction(1, 10) / packet.time_base)
                packet.pts, packet.dts = packet.pts - cut, packet.dts - cut
                packet.stream = output.streams[packet.stream.index]
                output.mux(packet)
    assert pass_through(source, target)[0] == []
    with av.open(str(source)) as container:
        assert sum(packet.size > 0 for packet in container.demux(0)) == 12
    before, after = frames_of(source), frames_of(target)
    assert len(before) == 9
    assert [(frame.time, frame.interval) for frame in after] == [
        (frame.time, frame.interval) for frame in before
    ]
    assert packets_of(target) == packets_of(source)
    assert packets_of(source)[1][0][1] < 0


def test_what_aac_begins_with_is_not_missed(tmp_path: Path) -> None:
    """Its first packet only gets the decoder going: MP4 hides it, Matroska does without."""
    source, target = tmp_path / "a.mp4", tmp_path / "b.mkv"
    with av.open(str(source), "w") as output:
        picture = output.add_stream("libx264", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("aac", rate=48_000)
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 9 * number, np.uint8))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(picture.encode(frame))
        beep = np.sin(np.arange(16 * 1024) / 9, dtype=np.float32) / 2
        beep[:9600] = 0  # 0.2 s
        for number, part in enumerate(beep.reshape(-1, 1024)):
            audio = av.AudioFrame.from_ndarray(np.stack([part, part]), "fltp", "stereo")
            audio.sample_rate, audio.pts = 48_000, number * 1024
            audio.time_base = Fraction(1, 48_000)
            output.mux(sound.encode(audio))
        output.mux(picture.encode(None) + sound.encode(None))
    with av.open(str(source)) as container:
        assert next(container.demux(audio=0)).pts == -1024
    assert pass_through(source, target)[0] == []
    for path in (source, target):
        assert abs(first_sound(path) - 0.2) < 0.002
    assert [frame.time for frame in frames_of(target)] == [
        frame.time for frame in frames_of(source)
    ]


def first_sound(path: Path) -> float:
    """When a file's sound begins to be heard, in seconds."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.1)
            if len(loud):
                return float(frame.time + loud[0] / frame.sample_rate)
    raise AssertionError("silence")


@pytest.mark.parametrize("language", ["deu", "ger", "fra", "fre", "zho", "nld", "cze", "eng"])
def test_quicktime_keeps_languages_under_a_name_of_its_own(language: str, tmp_path: Path) -> None:
    clip = make_clip(tmp_path, Clip(suffix=".mkv", audio=True, language=language))
    pass_through(clip, tmp_path / "x.mov")
    same = [{"deu", "ger"}, {"fra", "fre"}, {"zho", "chi"}, {"nld", "dut"}, {"cze", "ces"}, {"eng"}]
    with av.open(str(tmp_path / "x.mov")) as container:
        kept = container.streams.audio[0].metadata["language"]
    assert any({language, kept} <= names for names in same)
