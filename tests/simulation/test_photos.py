"""Photographs are found, decoded exactly, reduced, and refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from spikedeblur.errors import InputError
from spikedeblur.simulation.photos import PhotoLibrary, find_photos, read_photo
from tests.training.pictures import noise_photo, photo_folder, write_png


def test_a_small_photo_is_read_as_it_is(tmp_path):
    picture = noise_photo(1)
    np.testing.assert_array_equal(read_photo(write_png(tmp_path / "a.png", picture)), picture)


def test_a_large_photo_is_averaged_down(tmp_path):
    picture = np.kron(noise_photo(2, 30, 40), np.ones((4, 4, 1), np.uint8))
    reduced = read_photo(write_png(tmp_path / "a.png", picture), longest_side=40)
    assert reduced.shape == (30, 40, 3)
    assert np.abs(reduced.astype(int) - picture[::4, ::4].astype(int)).max() <= 4


def test_photos_are_found_sorted_at_any_depth(tmp_path):
    photo_folder(tmp_path / "b", 1)
    photo_folder(tmp_path / "a", 2)
    (tmp_path / "notes.txt").write_text("none")
    names = [str(path.relative_to(tmp_path)) for path in find_photos(tmp_path)]
    assert names == ["a/photo0.png", "a/photo1.png", "b/photo0.png"]
    assert find_photos([tmp_path / "b", tmp_path / "a" / "photo1.png"])[1].name == "photo1.png"


def test_what_is_no_photo_is_refused_by_name(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a picture at all")
    with pytest.raises(InputError, match=r"broken\.jpg"):
        PhotoLibrary(tmp_path)[0]
    with pytest.raises(InputError, match="missing"):
        find_photos(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no photographs"):
        find_photos(tmp_path / "empty")


def test_the_cache_is_bounded_and_does_not_change_what_is_read(tmp_path):
    photo_folder(tmp_path, 4)
    bounded = PhotoLibrary(tmp_path, cache_bytes=2 * noise_photo(0).nbytes)
    for number in (0, 1, 2, 3, 0, 2):
        np.testing.assert_array_equal(bounded[number], noise_photo(number))
        assert len(bounded._cache) <= 2
