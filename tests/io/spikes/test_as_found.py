"""Recordings as people have them: cut copies, other axes, other editors, links, MATLAB."""

from __future__ import annotations

import logging
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.errors import InputError, SpikedeblurError
from spikedeblur.inspection.recordings import is_recording
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import find_sidecar, read_sidecar, write_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream
from tests.io.spikes.files import SMALL, plain, planes_of, sps10

TICKS, HEIGHT, WIDTH = SMALL.shape
SIZED = RecordingSettings(width=WIDTH, height=HEIGHT, rate_hz=Fraction(1000))
LENIENT = RecordingSettings(width=WIDTH, height=HEIGHT, rate_hz=Fraction(1000), lenient=True)


@pytest.mark.parametrize("lost", [1, 13, 14 + 5])
@pytest.mark.parametrize("rate_known", [True, False])
def test_a_cut_recording_is_read_up_to_its_last_whole_plane(
    lost: int, rate_known: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "s.dat"
    path.write_bytes(plain(SMALL)[:-lost])  # planes of 14 bytes
    with pytest.raises(SpikedeblurError, match=r"--lenient|do not fill"):
        resolve_spike_source(path, SIZED).open()
    known = LENIENT if rate_known else RecordingSettings(size=(WIDTH, HEIGHT), lenient=True)
    whole = TICKS - 1 - lost // 14
    source = resolve_spike_source(
        path, known, duration_s=Fraction(whole, 20_000), interval_s=Fraction(1, 20_000)
    )
    with caplog.at_level(logging.WARNING), source.open() as stream:
        assert stream.ticks == whole
        np.testing.assert_array_equal(stream[:], SMALL[:whole])
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} ends within a plane: its last {-lost % 14} bytes are left out"
    ]


def test_a_cut_recording_with_headers_and_one_in_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "h.dat"
    path.write_bytes(sps10(planes_of(6, 8, 24))[:-7])
    with SpikeStream.read_as(
        path, RecordingSettings(size=(24, 8), rate_hz=Fraction(1000), layout="sps10", lenient=True)
    ) as stream:
        np.testing.assert_array_equal(stream[:], planes_of(6, 8, 24)[:5])
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "0.dat").write_bytes(plain(SMALL[:20])[:-3])
    (folder / "1.dat").write_bytes(plain(SMALL[20:]))
    with SpikeStream.read_as(folder, LENIENT) as stream:
        np.testing.assert_array_equal(stream[:], np.delete(SMALL, 19, axis=0))


def test_lenient_changes_nothing_about_a_whole_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "s.dat"
    path.write_bytes(plain(SMALL))
    with SpikeStream.read_as(path, LENIENT) as stream:
        assert stream.ticks == TICKS
    assert not caplog.records
    path.write_bytes(plain(SMALL)[:5])
    with pytest.raises(InputError, match="no whole plane"):
        SpikeStream.read_as(path, LENIENT)


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 1, 0)])
def test_other_axes_are_named_with_the_transpose_that_fits(
    order: tuple[int, int, int], tmp_path: Path
) -> None:
    path = tmp_path / "s.npy"
    found = np.ascontiguousarray(SMALL.transpose(order))
    np.save(path, found)
    with pytest.raises(InputError, match=r"save spikes\.transpose\((.*?)\)") as caught:
        resolve_spike_source(path, SIZED)
    axes = str(caught.value).split("transpose(")[1].split(")")[0]
    np.testing.assert_array_equal(found.transpose([int(axis) for axis in axes.split(",")]), SMALL)
    with pytest.raises(InputError, match="transpose"):
        SpikeStream.read_as(path, SIZED)


def test_axes_are_told_by_known_cameras_and_by_the_length_of_the_video(tmp_path: Path) -> None:
    camera, video = tmp_path / "camera.npy", tmp_path / "video.npy"
    np.save(camera, np.zeros((250, 400, 500), np.uint8))
    np.save(video, np.zeros((24, 32, 2000), np.uint8))
    rate = RecordingSettings(rate_hz=Fraction(1000))
    with pytest.raises(InputError, match=r"transpose\(2, 0, 1\)"):
        resolve_spike_source(camera, rate)
    with pytest.raises(InputError, match=r"transpose\(2, 0, 1\)"):
        resolve_spike_source(video, rate, duration_s=Fraction(2))
    assert resolve_spike_source(video, rate).settings.pixels == (2000, 32)
    meant = RecordingSettings(size=(500, 400), rate_hz=Fraction(1000))
    assert resolve_spike_source(camera, meant, duration_s=Fraction(1, 4)).settings.height == 400


def test_axes_of_an_array_in_memory_are_told_likewise() -> None:
    rate = RecordingSettings(rate_hz=Fraction(1000))
    with pytest.raises(InputError, match=r"give spikes\.transpose\(2, 0, 1\)"):
        SpikeStream.of_array(np.zeros((250, 400, 500), np.uint8), rate)
    turned = np.zeros((24, 32, 2000), np.uint8)
    with pytest.raises(InputError, match=r"give spikes\.transpose\(2, 0, 1\)"):
        SpikeStream.of_array(turned, rate, Fraction(2))
    assert SpikeStream.of_array(turned, rate).shape == turned.shape


def test_arrays_in_order_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.npy"
    np.save(path, SMALL)
    for known in (SIZED, RecordingSettings(rate_hz=Fraction(1000))):
        source = resolve_spike_source(path, known, duration_s=Fraction(TICKS, 1000))
        with source.open() as stream:
            np.testing.assert_array_equal(stream[:], SMALL)


def test_matlab_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "s.MAT"
    path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(1000))
    with pytest.raises(InputError, match=r"MATLAB.*npy"):
        resolve_spike_source(path, SIZED)
    assert is_recording(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_sidecar_with_a_byte_order_mark_reads(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("width = 12\nheight = 9\nrate_hz = 1000.0\n", encoding=encoding)
    assert read_sidecar(path) == SIZED


def test_lenient_is_a_key_of_the_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    write_sidecar(path, LENIENT)
    assert "lenient = true" in path.read_text() and read_sidecar(path) == LENIENT


def test_the_sidecar_beside_what_a_link_leads_to(tmp_path: Path) -> None:
    store, here = tmp_path / "store", tmp_path / "here"
    store.mkdir()
    here.mkdir()
    (store / "0042.dat").write_bytes(plain(SMALL))
    write_sidecar(store / "0042.toml", SIZED)
    link = here / "s.dat"
    os.symlink("../store/0042.dat", link)
    assert find_sidecar(link) == SIZED
    write_sidecar(here / "s.toml", LENIENT)
    assert find_sidecar(link) == LENIENT  # the one beside the link comes first
