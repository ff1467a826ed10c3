"""What comes beside decoded frames, where PyAV has no name for a kind of it."""

from __future__ import annotations

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
