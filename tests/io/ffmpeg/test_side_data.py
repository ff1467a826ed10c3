"""What comes beside decoded frames, where PyAV has no name for a kind of it."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest

from spikedeblur.io.ffmpeg.side_data import side_data
from spikedeblur.io.video import open_video
from tests.io.clips import Clip, make_clip, pass_through


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Rotated; FFmpeg gives each frame of TIFF its Exif data, which PyAV 18 does not know."""
    return make_clip(tmp_path, Clip(suffix=".mov", codec="tiff", pix_fmt="rgb24", rotation=90))


def test_the_other_kinds_are_read(clip: Path) -> None:
    with av.open(str(clip)) as container:
        frame = next(container.decode(video=0))
        assert side_data(frame, "DISPLAYMATRIX") is not None
        assert side_data(frame, "CONTENT_LIGHT_LEVEL") is None
        assert {each.type.name for each in frame.side_data} > {"DISPLAYMATRIX"}


def test_the_rotation_is_kept(clip: Path, tmp_path: Path) -> None:
    pass_through(clip, tmp_path / "x.mov")
    with open_video(tmp_path / "x.mov") as reader:
        assert reader.info.rotation == 90


def with_box(path: Path, box: bytes) -> None:
    """Put a box into the sample description of the only track; the media data stand before it."""
    data = path.read_bytes()
    assert data.find(b"mdat") < data.find(b"moov")
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at = data.index(name, data.find(b"moov")) - 4
        size = int.from_bytes(data[at : at + 4], "big")
        data = data[:at] + (size + len(box)).to_bytes(4, "big") + data[at + 4 :]
    data = data[: at + size] + box + data[at + size :]
    path.write_bytes(data)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
def test_the_clean_aperture_becomes_a_crop_or_is_named(suffix: str, tmp_path: Path) -> None:
    """Of 96x64: 84x60 whose middle is 2 right of and 1 above that of the picture."""
    source = make_clip(tmp_path, Clip(size=(96, 64), times=(0, 512), aspect=Fraction(16, 11)))
    with_box(source, b"\0\0\0\x28clap" + struct.pack(">IIIIiIiI", 84, 1, 180, 3, 2, 1, -1, 1))
    with open_video(source) as reader:
        assert reader.info.geometry is not None
        assert reader.info.geometry.crop == {"top": 1, "bottom": 3, "left": 8, "right": 4}
    # FFV1 says nothing of the shape of pixels itself.
    codec = "ffv1" if suffix == ".mkv" else None
    warnings, _ = pass_through(source, tmp_path / f"out{suffix}", codec=codec)
    named = [each for each in warnings if "1 top, 3 bottom, 8 left, 4 right" in each]
    assert len(named) == (suffix != ".mkv")
    if suffix == ".mkv":  # PixelCropTop and so on, RFC 9559
        head = (tmp_path / "out.mkv").read_bytes()[:4096]
        with av.open(str(tmp_path / "out.mkv")) as file:
            assert file.streams.video[0].sample_aspect_ratio == Fraction(16, 11)
        assert bytes.fromhex("54bb8101 54aa8103 54cc8108 54dd8104") in head
