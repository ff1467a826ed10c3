"""Spikes in .npy, .npz and .h5: which array is meant, and what each kind of damage is called."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.errors import InputError, SpikedeblurError, UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.voxels import is_voxel_file
from tests.io.spikes.files import ARRAYS, RATE, SMALL, planes_of, saved


class TestArrays:
    @pytest.mark.parametrize("suffix", ARRAYS)
    @pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
    def test_of_zeros_and_ones(self, tmp_path, suffix, dtype):
        path = saved(tmp_path, suffix, SMALL.astype(dtype))
        with SpikeStream.open(path, **RATE) as stream:
            assert stream.shape == SMALL.shape and stream[:1].dtype == bool
            for window in (slice(5, 9), slice(None), slice(2, 4)):
                np.testing.assert_array_equal(stream[window], SMALL[window])
        with SpikeStream.open(path, flip=True, **RATE) as stream:
            np.testing.assert_array_equal(stream[:], SMALL[:, ::-1])

    @pytest.mark.parametrize("suffix", [".npz", ".h5"])
    def test_one_of_several_is_named(self, tmp_path, suffix):
        path = saved(tmp_path, suffix, SMALL, "spk", labels=np.arange(3), other=SMALL[1:])
        np.testing.assert_array_equal(SpikeStream.open(path, key="spk", **RATE)[:], SMALL)
        with pytest.raises(UsageError, match=r"not hold one array of three axes \(.*spk"):
            SpikeStream.open(path, **RATE)
        with pytest.raises(UsageError, match=r"no array 'spikes' .*labels.*--spike-key"):
            SpikeStream.open(path, key="spikes", **RATE)
        with pytest.raises(InputError, match=r"shape \(3,\) seen"):
            SpikeStream.open(path, key="labels", **RATE)

    @pytest.mark.parametrize("suffix", [".npz", ".h5"])
    def test_the_only_one_of_three_axes_is_taken(self, tmp_path, suffix):
        path = saved(tmp_path, suffix, SMALL, "spk", labels=np.arange(3), gain=SMALL[0])
        np.testing.assert_array_equal(SpikeStream.open(path, **RATE)[:], SMALL)

    def test_a_group_in_an_h5(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "s.h5", "w") as file:
            file["camera/spikes"] = SMALL
        for key in (None, "camera/spikes", "/camera/spikes"):
            np.testing.assert_array_equal(
                SpikeStream.open(tmp_path / "s.h5", key=key, **RATE)[:], SMALL
            )

    def test_chunks_beyond_memory_are_not_read(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "s.h5", "w") as file:  # holds nothing yet: a few kilobytes
            file.create_dataset("s", (70_000, 128, 128), np.uint8, chunks=(70_000, 128, 128))
        with pytest.raises(InputError, match="chunks too large"):
            SpikeStream.open(tmp_path / "s.h5", **RATE)

    def test_an_npy_has_no_name(self, tmp_path):
        with pytest.raises(UsageError, match="without a name"):
            SpikeStream.open(saved(tmp_path, ".npy", SMALL), key="spk", **RATE)

    @pytest.mark.parametrize("suffix", ARRAYS)
    def test_other_values(self, tmp_path, suffix):
        strange = SMALL.astype(np.uint8)
        strange[7, 2, 3] = 255
        stream = SpikeStream.open(saved(tmp_path, suffix, strange), **RATE)
        np.testing.assert_array_equal(stream[:7], SMALL[:7])
        with pytest.raises(InputError, match=r"more than 0 and 1 \(255 seen at tick 7\)"):
            stream[3:9]

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (SMALL.astype(np.complex64), "complex64 values"),
            (SMALL.astype("U1"), "<U1 values"),
            (SMALL.astype(object), "object values"),
            (SMALL[0], r"shape \(9, 12\) seen"),
            (SMALL[:0], r"shape \(0, 9, 12\) seen"),
            (np.asfortranarray(SMALL), "column order"),
            (np.where(SMALL, np.nan, 0), "more than 0 and 1 .nan seen"),
        ],
    )
    def test_wrong_arrays(self, tmp_path, values, message):
        path = tmp_path / "s.npy"
        np.save(path, values)
        with pytest.raises(InputError, match=message):
            SpikeStream.open(path, **RATE)[:]

    @pytest.mark.parametrize("suffix", ARRAYS)
    def test_cut_files(self, tmp_path, suffix):
        path = saved(tmp_path, suffix, planes_of(40, 60, 80))
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(InputError, match=r"s\S* is damaged") as raised:
            SpikeStream.open(path, **RATE)[:]
        assert "\n" not in str(raised.value)

    def test_one_byte_more_or_less(self, tmp_path):
        path = saved(tmp_path, ".npy", SMALL)
        content = path.read_bytes()
        for changed, message in (
            (content + b"\0", "1 bytes follow its array"),
            (content[:-1], "1 bytes are missing from its array"),
        ):
            path.write_bytes(changed)
            with pytest.raises(InputError, match=message):
                SpikeStream.open(path, **RATE)

    @pytest.mark.parametrize("suffix", ARRAYS)
    def test_nothing_there(self, tmp_path, suffix):
        if suffix == ".h5":
            pytest.importorskip("h5py")
        with pytest.raises(InputError, match="not found"):
            SpikeStream.open(tmp_path / f"s{suffix}", **RATE)
        (tmp_path / f"s{suffix}").write_bytes(b"\x93NUMPY\1\0 no more than that")
        with pytest.raises(InputError, match="damaged"):
            SpikeStream.open(tmp_path / f"s{suffix}", **RATE)

    def test_without_h5py(self, tmp_path, monkeypatch):
        path = tmp_path / "s.h5"
        path.write_bytes(b"anything")
        monkeypatch.setitem(sys.modules, "h5py", None)
        with pytest.raises(UsageError, match=r"needs h5py .*pip install 'spikedeblur\[h5\]'"):
            SpikeStream.open(path, **RATE)

    def test_a_size_that_is_not_theirs(self, tmp_path):
        path = saved(tmp_path, ".npz", SMALL)
        with pytest.raises(UsageError, match=r"holds planes of 12x9 \(9x12 given"):
            SpikeStream.open(path, width=9, height=12, **RATE)

    @pytest.mark.parametrize("suffix", ARRAYS)
    def test_the_size_is_known_and_the_rate_asked_for(self, tmp_path, suffix):
        path = saved(tmp_path, suffix, SMALL)
        with pytest.raises(UsageError, match=r"spike rate of .*12x9 at 1000 Hz.*--spike-rate"):
            resolve_spike_source(path, RecordingSettings())
        source = resolve_spike_source(path, RecordingSettings(rate_hz=Fraction(5)))
        assert (source.settings.pixels, source.settings.flip) == ((12, 9), False)
        assert source.open().shape == (40, 9, 12)
        lasting = resolve_spike_source(
            path, RecordingSettings(), duration_s=Fraction(40, 1000), interval_s=Fraction(1, 1000)
        )
        assert lasting.rate_hz == 1000

    def test_voxel_grids_are_not_taken_for_spikes(self, tmp_path):
        assert not is_voxel_file(saved(tmp_path, ".npy", SMALL))
        assert not is_voxel_file(saved(tmp_path, ".npz", SMALL))
        assert is_voxel_file(saved(tmp_path, ".npy", np.zeros((2, 4, 9, 12), np.float32)))
        assert is_voxel_file(saved(tmp_path, ".npz", np.zeros((2, 4, 9, 12)), "voxels"))
        assert is_voxel_file("anything.tif") and not is_voxel_file("s.h5")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ARRAYS), st.data())
def test_a_damaged_file_is_an_error_not_a_crash(tmp_path_factory, suffix, data):
    path = saved(tmp_path_factory.mktemp("array"), suffix, SMALL)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(content), 4000) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        with SpikeStream.open(path, **RATE) as stream:
            stream[:3]
    except SpikedeblurError as error:
        assert "\n" not in str(error)
