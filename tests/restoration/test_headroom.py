"""Headroom: light that was clipped in the video comes back, in more bits, below white."""

from __future__ import annotations

import numpy as np
import pytest

import spikedeblur
from spikedeblur.errors import UsageError
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.recording.light import linear_to_srgb, srgb_to_linear
from tests.recordings import frame_at
from tests.street import STREET_RIG, street_photo

STOPS = 1.5


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same scene, overexposed and not."""
    photo = street_photo(tmp_path_factory.mktemp("photo"))
    bright, plain = (tmp_path_factory.mktemp(name) for name in ("bright", "plain"))
    spikedeblur.simulate(photo, bright, **STREET_RIG, overexposure=STOPS)
    spikedeblur.simulate(photo, plain, **STREET_RIG)
    return bright, plain


def pictures(path) -> np.ndarray:
    with open_video(path) as video:
        return np.stack(
            [frame.rgb.astype(np.float32) / np.iinfo(frame.rgb.dtype).max for frame in video]
        )


def darker(picture: np.ndarray) -> np.ndarray:
    return linear_to_srgb(srgb_to_linear(picture) * 2**-STOPS)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(-10 * np.log10(((one - other) ** 2).mean()))


def test_overexposed_is_brighter_up_to_white_and_the_spikes_are_the_same(folders):
    bright, plain = folders
    expected = srgb_to_linear(pictures(plain / "sharp.mkv")) * 2**STOPS
    found = pictures(bright / "sharp.mkv")
    assert np.abs(found - linear_to_srgb(np.minimum(expected, 1))).max() < 4 / 255
    assert (bright / "spikes.dat").read_bytes() == (plain / "spikes.dat").read_bytes()


@pytest.mark.parametrize(("method", "gained"), [("sdm", 4), ("joint", 4)])
def test_what_was_clipped_comes_back(folders, method, gained, tmp_path):
    bright, plain = folders
    files = bright / "blurry.mkv", bright / "spikes.dat"
    found = {}
    for name, stops in (("with", STOPS), ("without", 0.0)):
        made = spikedeblur.Deblurrer(method=method, headroom=stops)
        made.run(str(files[0]), files[1], tmp_path / f"{name}.mkv")
        found[name] = pictures(tmp_path / f"{name}.mkv")
    with open_video(tmp_path / "with.mkv") as video:
        assert video.info.pix_fmt == "gbrp10le"
    truth, clipped = pictures(plain / "sharp.mkv"), pictures(files[0]).max(axis=-1) >= 0.98
    assert 0.1 < clipped.mean() < 0.9
    before = psnr(darker(found["without"])[clipped], truth[clipped])
    assert psnr(found["with"][clipped], truth[clipped]) > before + gained
    rest = ~clipped
    before = psnr(darker(found["without"])[rest], truth[rest])
    assert psnr(found["with"][rest], truth[rest]) > before - 0.5


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "written"),
    [("yuv420p", "libx264", "yuv420p10le"), ("yuv422p", "ffv1", "yuv422p10le")],
)
def test_eight_bits_become_ten_and_white_is_lower(pix_fmt, codec, written, folders, tmp_path):
    info = VideoInfo.synthetic(96, 64, 50, pix_fmt)
    with create_video(tmp_path / "v.mkv", info, EncoderSettings(codec)) as writer:
        for index in range(3):
            writer.write(frame_at(index, np.full((64, 96, 3), 255, np.uint8), 50))
    deblurrer = spikedeblur.Deblurrer(method="sdm", headroom=1.0, strength=0.0)
    deblurrer.run(str(tmp_path / "v.mkv"), folders[0] / "spikes.dat", tmp_path / "out.mkv")
    with open_video(tmp_path / "out.mkv") as video:
        assert video.info.pix_fmt == written
        middle = next(iter(video)).rgb[20:40, 20:40] / 65535
    assert np.abs(middle - linear_to_srgb(np.array(0.5))).max() < 0.01


@pytest.mark.parametrize("stops", [-1.0, 9.0, float("nan")])
def test_no_such_headroom(stops):
    with pytest.raises(UsageError, match="headroom"):
        spikedeblur.Deblurrer(method="sdm", headroom=stops)
