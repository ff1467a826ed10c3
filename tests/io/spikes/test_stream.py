"""The .dat reader and writer against bits placed by hand, and by property."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.errors import InputError, OutputError, UsageError
from spikedeblur.io.spikes.cameras import fitting_sizes
from spikedeblur.io.spikes.stream import SpikeStream, write_dat
from spikedeblur.recording.voxel import voxelize_ticks


@pytest.fixture
def dat(tmp_path):
    """A 12 x 3 stream of 40 ticks (36 pixels: the last byte of a plane is padded)."""
    planes = np.random.default_rng(1).random((40, 3, 12)) < 0.3
    write_dat(tmp_path / "s.dat", [planes[:17], planes[17:]])
    return tmp_path / "s.dat", planes


def open_dat(path, **options):
    return SpikeStream.open(path, **{"width": 12, "height": 3, "rate_hz": 20000, **options})


def test_blocks_of_no_planes_are_nothing(dat):
    """As of a recording whose first block is left out whole."""
    path, planes = dat
    none, again = planes[:0], path.with_name("again.dat")
    assert write_dat(again, [none, planes[:20], none, planes[20:], none]) == 40
    assert again.read_bytes() == path.read_bytes()


def test_bits_are_pixels_from_the_lowest_row_up(tmp_path):
    path = tmp_path / "s.dat"
    path.write_bytes(bytes([0b00000001, 0b10000000]))  # rows of 8: bottom row first
    plane = SpikeStream.open(path, width=8, height=2, rate_hz=1)[:][0]
    assert plane.dtype == bool
    assert np.argwhere(plane).tolist() == [[0, 7], [1, 0]]
    unflipped = SpikeStream.open(path, width=8, height=2, rate_hz=1, flip=False, bit_order="big")
    assert np.argwhere(unflipped[:][0]).tolist() == [[0, 7], [1, 0]]


@settings(max_examples=60)
@given(
    st.integers(1, 20),
    st.integers(1, 9),
    st.integers(1, 6),
    st.booleans(),
    st.sampled_from(["little", "big"]),
    st.integers(0, 2**32 - 1),
)
def test_round_trip(tmp_path_factory, width, height, ticks, flip, bit_order, seed):
    path = tmp_path_factory.mktemp("dat") / "s.dat"
    planes = np.random.default_rng(seed).random((ticks, height, width)) < 0.5
    assert write_dat(path, [planes], flip=flip, bit_order=bit_order) == ticks
    layout = {"flip": flip, "bit_order": bit_order}
    with SpikeStream.open(path, width=width, height=height, rate_hz=1, **layout) as stream:
        assert path.stat().st_size == ticks * -(-width * height // 8)
        np.testing.assert_array_equal(stream[:], planes)


@pytest.mark.parametrize(
    "window",
    [slice(None), slice(5, 9), slice(-4, None), slice(None, -30), slice(38, 99), slice(9, 5)],
)
def test_slices_mean_what_they_mean_in_numpy(dat, window):
    path, planes = dat
    np.testing.assert_array_equal(open_dat(path)[window], planes[window])


def test_slices_by_time_hold_every_tick_they_touch(dat):
    path, planes = dat
    stream = open_dat(path, rate_hz=1000)
    np.testing.assert_array_equal(stream.between(0.0101, 0.0129), planes[10:13])
    np.testing.assert_array_equal(stream.between(Fraction(1, 100), Fraction(2, 100)), planes[10:20])
    np.testing.assert_array_equal(stream.between(-0.005, 0.002), planes[:2])
    assert len(stream.between(-1, 0)) == 0
    assert len(stream.between(-1, 99)) == 40


def test_voxels_read_from_the_file_equal_those_of_the_planes(dat):
    path, planes = dat
    interval = (Fraction(7, 3), Fraction(112, 3))
    np.testing.assert_array_equal(
        voxelize_ticks(open_dat(path), 8, *interval), voxelize_ticks(planes, 8, *interval)
    )


def test_what_a_stream_knows_of_itself(dat):
    stream = open_dat(dat[0], rate_hz=20000.5, offset_s=0.1)
    assert len(stream) == stream.ticks == 40
    assert stream.shape == (40, 3, 12)
    assert stream.rate_hz == Fraction(40001, 2)
    assert stream.offset_s == Fraction(1, 10)
    assert stream.duration_s == Fraction(80, 40001)


@pytest.mark.parametrize("index", [3, slice(0, 9, 2), (slice(0, 1), 0)])
def test_only_plain_slices_are_read(dat, index):
    with pytest.raises(TypeError, match="start:stop"):
        open_dat(dat[0])[index]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width .0 seen.*above zero"),
        ({"height": -3}, "above zero"),
        ({"width": 10**6, "height": 10**6}, "beyond any sensor"),
        ({"rate_hz": 0}, "rate_hz .0 seen"),
        ({"rate_hz": -5.0}, "rate_hz .-5.0 seen"),
        ({"rate_hz": float("nan")}, "rate_hz .nan seen"),
        ({"bit_order": "middle"}, "bit_order .'middle' seen"),
    ],
)
def test_impossible_settings_are_usage_errors(dat, options, message):
    with pytest.raises(UsageError, match=message):
        open_dat(dat[0], **options)


def test_a_file_of_another_size_names_the_sizes_that_fit(tmp_path):
    path = tmp_path / "s.dat"
    path.write_bytes(bytes(12_500 * 3))
    with pytest.raises(InputError, match=r"37,500 bytes.* 401x250 .*12,532 bytes.*400x250"):
        SpikeStream.open(path, width=401, height=250, rate_hz=20000)
    path.write_bytes(bytes(12_501))
    with pytest.raises(InputError, match="copy the file again"):
        SpikeStream.open(path, width=400, height=250, rate_hz=20000)


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="not found"):
        open_dat(tmp_path / "none.dat")
    with pytest.raises(InputError, match="folder"):
        open_dat(tmp_path)
    (tmp_path / "empty.dat").touch()
    with pytest.raises(InputError, match="empty"):
        open_dat(tmp_path / "empty.dat")


def test_an_ambiguous_file_fits_several_cameras():
    assert {(320, 180), (640, 360), (640, 480), (1280, 720)} <= set(fitting_sizes(1_612_800))
    assert fitting_sizes(12_500 * 7) == [(400, 250)]
    assert fitting_sizes(12_501) == []


def test_a_file_in_the_way_is_kept(dat):
    path, planes = dat
    with pytest.raises(OutputError, match="exists"):
        write_dat(path, [planes[:1]])
    assert len(open_dat(path)) == 40
    assert write_dat(path, [planes[:1]], overwrite=True) == 1
    assert len(open_dat(path)) == 1


def test_a_failed_write_leaves_nothing(tmp_path):
    def broken():
        yield np.zeros((1, 2, 2), dtype=bool)
        raise RuntimeError("camera unplugged")

    with pytest.raises(RuntimeError, match="unplugged"):
        write_dat(tmp_path / "s.dat", broken())
    assert list(tmp_path.iterdir()) == []


def test_a_file_larger_than_memory_opens_at_once(tmp_path):
    path = tmp_path / "s.dat"
    with path.open("wb") as file:
        file.truncate(12_500 * 400_000)  # 5 GB, all holes
        file.seek(12_500 * 399_999)
        file.write(b"\x01")
    stream = SpikeStream.open(path, width=400, height=250, rate_hz=40000)
    assert np.argwhere(stream[-1:]).tolist() == [[0, 249, 0]]
