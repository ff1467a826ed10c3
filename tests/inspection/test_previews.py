"""Previews show the light that the spikes counted."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.errors import OutputError, UsageError
from spikedeblur.inspection.previews import preview_picture, write_preview
from spikedeblur.io.image_files import read_image
from spikedeblur.io.spikes.stream import SpikeStream, write_dat
from spikedeblur.io.video import open_video

HEIGHT, WIDTH, TICKS = 20, 31, 400


def light_at(tick: int) -> np.ndarray:
    """A slope, brighter on the right, and a block that moves down it."""
    light = np.linspace(0.1, 0.5, WIDTH) * np.ones((HEIGHT, 1))
    top = tick * (HEIGHT - 6) // TICKS
    light[top : top + 6, 12:18] = 0.8
    return light


@pytest.fixture
def stream(tmp_path):
    charge, planes = np.random.default_rng(0).random((HEIGHT, WIDTH)), []
    for tick in range(TICKS):
        charge += light_at(tick)
        planes.append(charge >= 1)
        charge -= planes[-1]
    write_dat(tmp_path / "s.dat", [np.array(planes)])
    with SpikeStream.open(tmp_path / "s.dat", width=WIDTH, height=HEIGHT, rate_hz=20_000) as opened:
        yield opened


@pytest.mark.parametrize("method", ["tfp", "tfi"])
@pytest.mark.parametrize("tick", [40, 200, 360])
def test_a_picture_is_of_its_instant(stream, method, tick):
    picture = preview_picture(stream, tick, method)
    assert picture.shape == (HEIGHT, WIDTH, 3) and picture.dtype == np.uint8
    assert (picture[..., 0] == picture[..., 2]).all()
    for other in {40, 200, 360} - {tick}:
        own, foreign = (
            np.corrcoef(picture[..., 0].ravel(), light_at(each).ravel() ** (1 / 2.2))
            for each in (tick, other)
        )
        assert own[0, 1] > 0.85 and own[0, 1] > foreign[0, 1] + 0.1


def write(path, planes: np.ndarray) -> SpikeStream:
    write_dat(path, [planes])
    height, width = planes.shape[1:]
    return SpikeStream.open(path, width=width, height=height, rate_hz=20_000)


@pytest.mark.parametrize("method", ["tfp", "tfi"])
def test_a_dark_recording_of_little_contrast_is_shown_from_black_to_white(tmp_path, method):
    """Left fires every eighth tick, right every seventh; one pixel at every tick is no measure."""
    planes = np.zeros((112, 20, 40), bool)
    planes[::8, :, :20] = planes[::7, :, 20:] = True
    planes[:, 3, 3] = True
    with write(tmp_path / "d.dat", planes) as stream:
        picture = preview_picture(stream, 56, method)[..., 0]
    assert np.median(picture[:, :20]) < 5 and np.median(picture[:, 20:]) > 250
    assert picture[3, 3] == 255


def test_no_contrast_is_grey(tmp_path):
    planes = np.zeros((80, 20, 40), bool)
    with write(tmp_path / "d.dat", planes) as stream:
        assert np.unique(preview_picture(stream, 40)).tolist() == [117]


def test_files(stream, tmp_path):
    assert write_preview(stream, tmp_path / "p.png") == 1
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), preview_picture(stream, 200))
    with pytest.raises(OutputError, match="exists"):
        write_preview(stream, tmp_path / "p.png")
    assert write_preview(stream, tmp_path / "p.mp4", "tfi") == 125
    with open_video(tmp_path / "p.mp4") as film:
        assert film.info.average_rate == Fraction(25)
        frames = [frame.rgb for frame in film]
    assert len(frames) == 125 and frames[0].shape == (HEIGHT, WIDTH, 3)
    for number in (0, 124):
        wanted = preview_picture(stream, (2 * number + 1) * TICKS // 250, "tfi")
        assert np.abs(frames[number].astype(int) - wanted).mean() < 4


def test_an_unknown_method(stream, tmp_path):
    with pytest.raises(UsageError, match="unknown preview"):
        write_preview(stream, tmp_path / "p.png", "tfx")
