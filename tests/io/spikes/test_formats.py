"""Every format of spikes: read back as it was written by other means, and told what is wrong."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.layouts import Layout
from spikedeblur.io.spikes.packed import PackedFile
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.source import recording_in, resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.recording.voxel import voxelize_ticks
from tests.io.spikes.files import (
    ARRAYS,
    RATE,
    SMALL,
    plain,
    planes_of,
    saved,
    sps10,
    sps100,
    write_folder,
)

LARGE = planes_of(3, 1000, 1000)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([plain, sps10]),
    st.integers(1, 40),
    st.integers(1, 7),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from(["little", "big"]),
)
def test_packed_planes(tmp_path_factory, write, width, height, ticks, flip, bit_order):
    path = tmp_path_factory.mktemp("dat") / "s.dat"
    planes = planes_of(ticks, height, width, seed=width)
    path.write_bytes(write(planes, flip=flip, bit_order=bit_order))
    with SpikeStream.open(
        path,
        width=width,
        height=height,
        layout=write.__name__,
        flip=flip,
        bit_order=bit_order,
        **RATE,
    ) as stream:
        assert stream.shape == planes.shape
        np.testing.assert_array_equal(stream[:], planes)


class TestSps100:
    """The 1000x1000 cameras: header bits in two places, and files that begin anywhere."""

    def read(self, path, **options):
        return SpikeStream.open(path, width=1000, height=1000, layout="sps100", **options, **RATE)

    @pytest.mark.parametrize("options", [{}, {"flip": True}, {"bit_order": "big"}])
    def test_whole_planes(self, tmp_path, options):
        (tmp_path / "s.dat").write_bytes(sps100(LARGE[:2], **options))
        np.testing.assert_array_equal(self.read(tmp_path / "s.dat", **options)[:], LARGE[:2])

    @pytest.mark.parametrize(("lead", "tail"), [(16, 0), (127_984, 48), (64_000, 64_000)])
    def test_a_file_that_begins_and_ends_within_a_plane(self, tmp_path, lead, tail):
        content = sps100(LARGE)
        (tmp_path / "s.dat").write_bytes(content[128_000 - lead :][: lead + 128_000 + tail])
        stream = self.read(tmp_path / "s.dat")
        np.testing.assert_array_equal(stream[:], LARGE[1:2])

    def test_pixels_that_look_like_a_header_do_not_mislead(self, tmp_path):
        """Line 500, channel 0 in the pixels just before the first true header."""
        planes = LARGE.copy()
        planes[0, 0, 116:128] = [(500 >> bit) & 1 for bit in range(12)]
        (tmp_path / "s.dat").write_bytes(sps100(planes)[16:])
        np.testing.assert_array_equal(self.read(tmp_path / "s.dat")[:], planes[1:])

    def test_it_is_recognised(self, tmp_path):
        (tmp_path / "s.dat").write_bytes(sps100(LARGE[:2]))
        source = resolve_spike_source(tmp_path / "s.dat", RecordingSettings())
        assert (source.settings.layout, source.rate_hz) == ("sps100", 20_000)
        assert source.settings.pixels == (1000, 1000)
        assert source.settings.flip is False
        with source.open() as stream:
            np.testing.assert_array_equal(stream[1:2], LARGE[1:2])

    def test_lost_bytes_are_noticed_where_they_are_read(self, tmp_path):
        planes = planes_of(8, 1000, 1000)
        content = sps100(planes)
        (tmp_path / "s.dat").write_bytes(content[:900_000] + content[900_016:])
        stream = self.read(tmp_path / "s.dat")
        np.testing.assert_array_equal(stream[:7], planes[:7])
        (tmp_path / "t.dat").write_bytes(content[:800_000] + content[800_016:])
        with pytest.raises(InputError, match="loses its step at tick 6"):
            self.read(tmp_path / "t.dat")[2:7]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (sps100(LARGE[:2])[:-1], "16 at a time .15 bytes more seen"),
            (sps100(LARGE[:2]) + b"\0", "16 at a time .1 bytes more seen"),
            (bytes(256_000), "no plane of an sps100 begins"),
            (sps100(LARGE[:1])[:-16], "no plane of an sps100 begins"),
        ],
    )
    def test_malformed(self, tmp_path, content, message):
        (tmp_path / "s.dat").write_bytes(content)
        with pytest.raises(InputError, match=message):
            self.read(tmp_path / "s.dat")

    def test_another_size(self, tmp_path):
        (tmp_path / "s.dat").write_bytes(bytes(128_000))
        with pytest.raises(UsageError, match=r"1000x1000 pixels \(1024x1000 seen"):
            SpikeStream.open(tmp_path / "s.dat", width=1024, height=1000, layout="sps100", **RATE)


class Headed(Layout):
    """A file of 8 bytes, then planes whose last byte is 1."""

    def first_plane(self, path, bit_order):
        return 8

    def check(self, packed, bit_order):
        return packed[:, -1] == 1


def test_a_layout_with_headers_of_its_own(tmp_path):
    """Where planes begin, how many there are and whether they are sound is asked of it alone."""
    planes = np.random.default_rng(3).random((5, 4, 8)) < 0.5
    packed = np.packbits(planes.reshape(5, 32), axis=1, bitorder="little")
    packed = np.concatenate([packed, np.ones((5, 4), np.uint8)], axis=1)
    packed[4, -1] = 0
    (tmp_path / "s.dat").write_bytes(bytes(8) + packed.tobytes())
    layout = Headed("headed", "32 header bits at its end")
    file = PackedFile(tmp_path / "s.dat", 8, 8, layout, "little")
    assert file.ticks == 5
    np.testing.assert_array_equal(file.read(1, 4)[:, :4], planes[1:4])
    with pytest.raises(InputError, match="tick 4"):
        file.read(2, 5)
    (tmp_path / "s.dat").write_bytes(bytes(8) + packed.tobytes() + b"1")
    with pytest.raises(InputError, match="not a whole number"):
        PackedFile(tmp_path / "s.dat", 8, 8, layout, "little")


class TestFolder:
    def test_files_follow_each_other_by_number(self, tmp_path):
        write_folder(tmp_path / "s", SMALL, [1] * 11 + [20, 9])
        with SpikeStream.open(tmp_path / "s", width=12, height=9, **RATE) as stream:
            assert stream.ticks == 40
            for window in (slice(None), slice(9, 12), slice(10, 35), slice(39, 40), slice(12, 12)):
                np.testing.assert_array_equal(stream[window], SMALL[window])
            np.testing.assert_array_equal(
                voxelize_ticks(stream, 8, Fraction(5, 3), 33),
                voxelize_ticks(SMALL, 8, Fraction(5, 3), 33),
            )

    def test_a_file_that_is_no_whole_planes_is_named(self, tmp_path):
        write_folder(tmp_path / "s", SMALL, [20, 20])
        with (tmp_path / "s" / "1.dat").open("ab") as file:
            file.write(b"\0")
        with pytest.raises(InputError, match=r"1\.dat holds 281 bytes.* 1 too many"):
            SpikeStream.open(tmp_path / "s", width=12, height=9, **RATE)

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(InputError, match=r"no \.dat files"):
            SpikeStream.open(tmp_path, width=12, height=9, **RATE)

    def test_a_known_camera_is_recognised_by_all_the_files(self, tmp_path):
        write_folder(tmp_path / "s", planes_of(30, 250, 400), [13, 17])
        source = resolve_spike_source(tmp_path / "s", RecordingSettings(rate_hz=Fraction(20_000)))
        assert (source.settings.pixels, source.settings.layout) == ((400, 250), "plain")


class TestWholePlanes:
    """Files of packed planes that are not what they are said to be."""

    def refused(self, tmp_path, content, **options):
        (tmp_path / "s.dat").write_bytes(content)
        with pytest.raises(InputError) as raised:
            SpikeStream.open(tmp_path / "s.dat", **{"width": 400, "height": 250, **RATE, **options})
        return str(raised.value)

    def test_cut(self, tmp_path):
        assert "(2 and 1 short) - copy the file again" in self.refused(tmp_path, bytes(37_499))

    def test_one_byte_more(self, tmp_path):
        assert "(3 and 1 too many) - copy the file again" in self.refused(tmp_path, bytes(37_501))

    def test_header_columns_that_were_not_told_of(self, tmp_path):
        assert "give --spike-layout sps10" in self.refused(tmp_path, bytes(13_000 * 3))

    def test_header_columns_that_are_not_there(self, tmp_path):
        message = self.refused(tmp_path, bytes(12_500 * 3), layout="sps10")
        assert "with 16 header columns" in message and "give --spike-layout plain" in message

    def test_header_columns_counted_as_pixels(self, tmp_path):
        message = self.refused(tmp_path, bytes(13_000 * 3), layout="sps10", width=416)
        assert "give the pixels alone, --spike-size 400x250" in message

    def test_unknown_layout(self, tmp_path):
        (tmp_path / "s.dat").write_bytes(bytes(12_500))
        with pytest.raises(UsageError, match=r"layout \('sps9' seen\)"):
            SpikeStream.open(tmp_path / "s.dat", width=400, height=250, layout="sps9", **RATE)


def test_crops_are_of_the_upright_picture(tmp_path):
    (tmp_path / "s.dat").write_bytes(plain(SMALL))
    stream = SpikeStream.open(tmp_path / "s.dat", width=12, height=9, crop=(2, 1, 7, 5), **RATE)
    assert stream.shape == (40, 5, 7)
    np.testing.assert_array_equal(stream[3:9], SMALL[3:9, 1:6, 2:9])
    for crop in ((6, 0, 7, 9), (0, -1, 3, 3), (0, 0, 0, 3)):
        with pytest.raises(UsageError, match="crop"):
            SpikeStream.open(tmp_path / "s.dat", width=12, height=9, crop=crop, **RATE)


def test_a_case_may_hold_any_of_them(tmp_path):
    assert recording_in(tmp_path) is None
    (tmp_path / "spikes.toml").touch()
    for name in ("spikes", "spikes.h5", "spikes.npz", "spikes.dat"):  # each before the last
        path = tmp_path / name
        path.touch() if "." in name else path.mkdir()
        assert recording_in(tmp_path) == path


@pytest.mark.parametrize("suffix", [".dat", *ARRAYS])
def test_memory_stays_bounded(tmp_path, suffix):
    """Reading a long recording tick by tick holds a window of it, not all of it."""
    import tracemalloc

    planes = planes_of(600, 64, 64)
    path = saved(tmp_path, suffix, planes) if suffix != ".dat" else tmp_path / "s.dat"
    if suffix == ".dat":
        path.write_bytes(plain(planes))
    with SpikeStream.open(path, width=64, height=64, **RATE) as stream:
        tracemalloc.start()
        total = sum(int(stream[tick : tick + 20].sum()) for tick in range(0, 600, 20))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert total == planes.sum()
    assert peak < planes.nbytes / 4


def test_the_sidecar_settles_layout_bit_order_and_key(tmp_path):
    path = tmp_path / "s.dat"
    path.write_bytes(sps10(planes_of(4, 5, 16), bit_order="big"))
    noted = RecordingSettings(
        width=16, height=5, rate_hz=Fraction(9), layout="sps10", bit_order="big"
    )
    source = resolve_spike_source(path, RecordingSettings(), noted)
    assert {source.origin(name) for name in ("layout", "bit_order")} == {"sidecar"}
    np.testing.assert_array_equal(source.open()[:], planes_of(4, 5, 16))
    other = resolve_spike_source(path, RecordingSettings(bit_order="little"), noted)
    assert (other.settings.bit_order, other.origin("bit_order")) == ("little", "option")
    array = saved(tmp_path, ".npz", SMALL, spare=SMALL)
    source = resolve_spike_source(
        array, RecordingSettings(), RecordingSettings(key="spare", rate_hz=Fraction(9))
    )
    assert (source.settings.key, source.origin("key")) == ("spare", "sidecar")
