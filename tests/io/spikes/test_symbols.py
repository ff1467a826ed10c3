"""Spike pixels of several bits: symbols that count, in files, grids and recordings."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import spikedeblur
from spikedeblur import SpikeStream, voxelize
from spikedeblur.cli.main import main
from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import read_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import write_dat
from spikedeblur.recording.rolling import rolling_counts
from spikedeblur.recording.timeline import Interval
from spikedeblur.recording.voxel import voxelize_ticks
from tests.street import STREET_RIG, street_photo


def symbols(bits: int, ticks: int = 300) -> np.ndarray:
    """Counts of a plane that fills no whole byte."""
    return np.random.default_rng(bits).integers(0, 1 << bits, (ticks, 5, 7)).astype(np.uint8)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_symbols_come_back_and_lie_in_the_file_as_their_bits_do(bits, order, tmp_path):
    counts = symbols(bits, 3)
    write_dat(tmp_path / "s.dat", [counts], flip=False, bit_order=order, bits=bits)
    weights = 1 << np.arange(bits)
    if order == "big":
        weights = weights[::-1]
    single = (counts[..., None] & weights.astype(np.uint8)) > 0  # bit by bit, as one-bit pixels
    planes = np.packbits(single.reshape(3, -1), axis=1, bitorder=order)
    assert (tmp_path / "s.dat").read_bytes() == planes.tobytes()
    how = {"width": 7, "height": 5, "rate_hz": 1000, "flip": False, "bit_order": order}
    with SpikeStream.open(tmp_path / "s.dat", **how, bits=bits) as stream:
        assert stream[:].dtype == np.uint8 and stream.most_a_tick == (1 << bits) - 1
        np.testing.assert_array_equal(stream[:], counts)
        np.testing.assert_array_equal(stream[1:2], counts[1:2])
        assert stream[2:2].shape == (0, 5, 7)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_grids_count_all_of_a_symbol(bits, tmp_path):
    """Also where more of them than a byte holds are added up, and where the shutter rolls."""
    counts = symbols(bits)
    np.save(tmp_path / "s.npy", counts)
    with SpikeStream.open(tmp_path / "s.npy", rate_hz=1000, bits=bits) as stream:
        grid = voxelize(stream, 3)
        rolling, _ = rolling_counts(
            stream, 3, Interval(Fraction(0), Fraction(300)), np.zeros((5, 7))
        )
    expected = counts.reshape(3, 100, 5, 7).sum(axis=1, dtype=np.int64)
    np.testing.assert_array_equal(grid, expected)
    np.testing.assert_allclose(rolling, expected)
    held = SpikeStream.of_array(counts, RecordingSettings(rate_hz=1000, bits=bits))
    np.testing.assert_array_equal(voxelize_ticks(held, 3), expected)


def test_the_size_of_the_file_counts_the_bits(tmp_path):
    counts = np.zeros((40, 250, 400), np.uint8)
    write_dat(tmp_path / "s.dat", [counts], bits=4)
    known = RecordingSettings(rate_hz=20_000, bits=4, size=(400, 250))
    source = resolve_spike_source(tmp_path / "s.dat", known)
    with SpikeStream.read_as(source.path, source.settings) as stream:
        assert len(stream) == 40


def test_what_cannot_be_is_said(tmp_path):
    with pytest.raises(UsageError, match="1, 2, 4 or 8"):
        RecordingSettings(bits=3)
    with pytest.raises(UsageError, match="one bit a pixel"):
        SpikeStream.open(tmp_path / "s.dat", width=4, height=4, rate_hz=1, layout="sps10", bits=2)
    np.save(tmp_path / "s.npy", symbols(4))
    for bits, told in ((2, "other values than 0 to 3"), (None, "more than 0 and 1")):
        stream = SpikeStream.open(tmp_path / "s.npy", rate_hz=1000, bits=bits)
        with stream, pytest.raises(InputError, match=told):
            stream[:]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One recording by single bits at 20 kHz, one by 4 bits at a tenth of it: as many spikes."""
    photo = street_photo(tmp_path_factory.mktemp("photo"))
    single, counted = (tmp_path_factory.mktemp(name) for name in ("single", "counted"))
    spikedeblur.simulate(photo, single, **STREET_RIG)
    spikedeblur.simulate(photo, counted, **{**STREET_RIG, "rate_hz": 2000}, bits=4, threshold=0.1)
    return single, counted


def psnr(folder, method: str) -> float:
    with spikedeblur.open_video(folder / "sharp.mkv") as video:
        sharp = np.stack([frame.rgb for frame in video]) / 255.0
    made = spikedeblur.deblur(folder / "blurry.mkv", folder / "spikes.dat", method=method)
    found = np.stack([np.asarray(each) for each in made]) / 255.0
    return float(-10 * np.log10(((found - sharp) ** 2).mean()))


@pytest.mark.parametrize("method", ["sdm", "joint"])
def test_counts_restore_as_well_as_single_spikes(folders, method):
    single, counted = folders
    assert read_sidecar(counted / "spikes.toml").bits == 4
    with SpikeStream.open(counted / "spikes.dat") as stream:
        assert 9 <= stream[:].max() <= 15
    assert psnr(counted, method) > psnr(single, method) - 0.5


def test_commands_take_them(folders, tmp_path, capsys):
    _, counted = folders
    assert main(["info", str(counted / "spikes.dat")]) == 0
    files = [str(counted / "blurry.mkv"), "--spikes", str(counted / "spikes.dat")]
    assert main(["deblur", *files, "--dry-run", "--method", "sdm"]) == 0
    said = capsys.readouterr()
    assert "fire at every tick" not in said.err and "all one" not in said.err
    assert main(["deblur", *files, "--method", "tfi", "-o", str(tmp_path / "x.mkv")]) == 2
    assert "spikes one by one" in capsys.readouterr().err
    assert main(["deblur", *files, "--bits", "3"]) == 2
    assert "1, 2, 4 or 8" in capsys.readouterr().err
