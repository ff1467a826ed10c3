"""What stands beside the video: cover pictures, and which streams play by default."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from clips import Clip, make_clip, packets_of, pass_through

from spikedeblur.io.images import write_image


def with_cover(folder: Path, suffix: str) -> tuple[Path, bytes]:
    """A clip with a cover picture, and the bytes of the picture."""
    clip = make_clip(folder, Clip(suffix=suffix, audio=True))
    image, path = folder / "cover.png", folder / f"covered{suffix}"
    write_image(image, np.full((20, 30, 3), 90, np.uint8))
    with (av.open(str(clip)) as source, av.open(str(image)) as cover,
          av.open(str(path), "w") as output):
        streams = {stream.index: output.add_stream_from_template(stream)
                   for stream in source.streams}
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
        cover, = (stream for stream in container.streams.video
                  if stream.disposition & Disposition.attached_pic)
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
    with (av.open(str(clip)) as old, av.open(str(source), "w", container_options={
            "default_mode": "passthrough"}) as output):
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
