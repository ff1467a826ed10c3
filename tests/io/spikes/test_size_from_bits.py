"""The plane that the bits of a recording speak for."""

from __future__ import annotations

import numpy as np
import pytest

from spikedeblur.io.spikes.size_from_bits import likely_plane
from tests.io.spikes.files import plain, scene, sps10


@pytest.mark.parametrize(("width", "height"), [(72, 48), (64, 64), (50, 36), (45, 30), (120, 40)])
def test_any_size_is_found(tmp_path, width, height):
    (tmp_path / "s.dat").write_bytes(plain(scene(height, width, 160)))
    found = likely_plane(tmp_path / "s.dat")
    assert (str(found.camera), found.rest) == (f"{width}x{height}", 0)
    assert found.likeness > 0.5 and f"rows of {width} resemble" in found.reason


def test_pixels_without_a_picture_have_no_width(tmp_path):
    rng = np.random.default_rng(0)
    charge, light = rng.random((48, 72)), rng.uniform(0.1, 0.6, (48, 72))
    planes = [
        np.floor(charge + (tick + 1) * light) > np.floor(charge + tick * light)
        for tick in range(160)
    ]
    (tmp_path / "s.dat").write_bytes(plain(np.array(planes)))
    assert likely_plane(tmp_path / "s.dat") is None


def test_known_cameras_and_header_columns(tmp_path):
    spikes = scene(250, 400, 24)
    for name, write in (("plain", plain), ("sps10", sps10)):
        (tmp_path / "s.dat").write_bytes(write(spikes))
        found = likely_plane(tmp_path / "s.dat")
        assert (found.camera.size, found.camera.layout.name) == ((400, 250), name)


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"\0"])
def test_a_cut_file_still_shows_it(tmp_path, change):
    (tmp_path / "s.dat").write_bytes(change(plain(scene(48, 72, 160))))
    found = likely_plane(tmp_path / "s.dat")
    assert found.camera.size == (72, 48) and found.rest > 0
    assert "of another plane follow" in found.reason


@pytest.mark.parametrize(
    "content", [bytes(60_000), b"\xff" * 60_000, bytes(3), np.random.default_rng(0).bytes(60_000)]
)
def test_what_is_no_recording_is_not_taken_for_one(tmp_path, content):
    (tmp_path / "s.dat").write_bytes(content)
    assert likely_plane(tmp_path / "s.dat") is None
