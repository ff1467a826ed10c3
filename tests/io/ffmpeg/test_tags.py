"""Tags and titles: kept where a format can hold them in any way, else named in one warning."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.io.ffmpeg.metadata import lasting_metadata, lost_tags
from spikedeblur.io.video import open_video
from tests.io.clips import Clip, make_clip, pass_through

GLOBAL = {
    "title": "A walk",
    "artist": "Somebody",
    "comment": "words",
    "make": "Maker",
    "director": "X",
    "com.maker.lens": "35 mm",
}


def tagged(path: Path) -> Path:
    """Pictures, sound and subtitles, each with a title, and tags that no MP4 has fields for."""
    with av.open(str(path), "w", options={"movflags": "+use_metadata_tags"}) as output:
        output.metadata.update(GLOBAL)
        video = output.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("aac", rate=48000, layout="mono")
        text = output.add_mux_stream("mov_text" if path.suffix == ".mp4" else "subrip")
        text.time_base = Fraction(1, 1000)
        for stream, title in ((video, "Cam A"), (sound, "Left ear"), (text, "For all")):
            stream.metadata.update({"title": title, "language": "deu"})
        for number in range(5):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        blank = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        blank.sample_rate, blank.pts = 48000, 0
        output.mux(sound.encode(blank) + sound.encode(None))
        words = b"words"
        packet = av.Packet(b"\0\x05" + words if path.suffix == ".mp4" else words)
        packet.stream, packet.time_base = text, Fraction(1, 1000)
        packet.pts, packet.dts, packet.duration = 10, 10, 100
        output.mux(packet)
    return path


def tags_in(path: Path) -> tuple[dict[str, str], list[str | None]]:
    """The file's tags in small letters, and the title of each stream, by PyAV alone."""
    with av.open(str(path)) as container:
        titles = [
            stream.metadata.get("title", stream.metadata.get("name"))
            for stream in container.streams
        ]
        return {key.lower(): value for key, value in container.metadata.items()}, titles


@pytest.mark.parametrize("source", [".mkv", ".mp4"])
@pytest.mark.parametrize("target", [".mkv", ".mp4", ".mov"])
def test_tags_and_titles_are_kept(source: str, target: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{target}"
    warnings, _ = pass_through(tagged(tmp_path / f"in{source}"), path)
    tags, titles = tags_in(path)
    assert {key: tags.get(key) for key in GLOBAL} == GLOBAL
    assert titles == ["Cam A", "Left ear", "For all"]
    assert not [each for each in warnings if "tags" in each]


def test_plain_tags_stay_in_the_fields_that_all_players_read(tmp_path: Path) -> None:
    """The list of keys, which fewer read, takes their place only where it has to."""
    pass_through(make_clip(tmp_path, Clip(suffix=".mkv")), tmp_path / "out.mp4")
    content = (tmp_path / "out.mp4").read_bytes()
    assert b"mdirappl" in content and b"mdta" not in content


@pytest.mark.parametrize(
    "suffix,words",
    [
        (".avi", ["make", "director", "com.maker.lens", "language of stream 0"]),
        (".m4v", ["title of stream 0", "title of stream 1"]),
    ],
)
def test_what_a_format_cannot_hold_is_one_warning(
    suffix: str, words: list[str], tmp_path: Path
) -> None:
    warnings, _ = pass_through(
        tagged(tmp_path / "in.mkv"), tmp_path / f"out{suffix}", codec="mpeg4", subtitles=False
    )
    said = [each for each in warnings if "does not hold these tags" in each]
    assert len(said) == 1
    for word in words:
        assert word in said[0].lower()
    assert "artist" not in said[0]


def test_what_says_nothing_is_not_missed() -> None:
    idle = {"handler_name": "VideoHandler", "language": "und", "vendor_id": "FFMP"}
    assert lasting_metadata(idle, "matroska") == {"language": "und"}
    assert lasting_metadata({"handler_name": "Drone 2"}, "matroska") == {"handler_name": "Drone 2"}
    date = {"creation_time": "2026-01-01T00:00:00Z"}
    assert lost_tags({None: date, 0: date}, {None: date, 0: {}}) == ""
    assert lost_tags({None: {"a": "1", "b": "2"}, 1: {"c": "3"}}, {None: {"B": "2"}}) == (
        "a; c of stream 1"
    )


def test_colours_that_only_the_container_has(tmp_path: Path) -> None:
    """HEVC's decoder puts its own, of which there are none, in their place."""
    clip = Clip(
        suffix=".mkv",
        codec="libx265",
        pix_fmt="yuv420p10le",
        matrix=9,
        tags=(9, 1, 9, 16),
        options={
            "x265-params": "log-level=error:lossless=1:colorprim=unknown:transfer=unknown:"
            "colormatrix=unknown"
        },
    )
    source = make_clip(tmp_path, clip)
    with av.open(str(source)) as container:
        frame = next(container.decode(video=0))
        assert (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)) == (
            2,
            2,
            2,
        )
    for suffix in (".mkv", ".mp4"):
        target = tmp_path / f"out{suffix}"
        _, info = pass_through(source, target)
        assert (info.colour.matrix, info.colour.primaries, info.colour.transfer) == (9, 9, 16)
        with open_video(target) as reader:
            assert reader.info.colour == info.colour


def test_the_stream_wins_where_both_speak(tmp_path: Path) -> None:
    options = {"x265-params": "log-level=error:lossless=1:colormatrix=bt709"}
    clip = Clip(suffix=".mkv", codec="libx265", tags=(6, 1, 6, 6), options=options)
    with open_video(make_clip(tmp_path, clip)) as reader:
        assert (reader.info.colour.matrix, reader.info.colour.primaries) == (1, 6)
