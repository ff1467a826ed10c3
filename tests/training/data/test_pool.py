"""A pool of solved clips: what it gives is a function of the position, and it outlives damage."""

from __future__ import annotations

import pytest
import torch

from spikedeblur.errors import UsageError
from spikedeblur.training.config import load_config
from spikedeblur.training.data.datasets import PhotoClips
from spikedeblur.training.data.pool import FIRST, REUSE, PooledClips
from spikedeblur.training.run import run_training
from tests.training.pictures import photo_folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photo_folder(tmp_path_factory.mktemp("photos"))


def pool(photos, folder, **options):
    source = PhotoClips(photos, crop=32, clip_len=2, bins=8, seed=1, length=2)
    return PooledClips(source, folder, 16, **options)


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_a_clip_is_a_function_of_its_position(photos, tmp_path):
    first, again = pool(photos, tmp_path / "a"), pool(photos, tmp_path / "b")
    for source in (first, again):
        source.set_epoch(3)
    item = first[1]
    assert equal(item, again[1])
    assert equal(item, first[1])  # read from disk
    first.set_epoch(4)
    assert not equal(item, first[1])


def test_shapes_are_those_of_the_crop(photos, tmp_path):
    item = pool(photos, tmp_path)[0]
    assert item["pictures"].shape == (2, 4, 3, 16, 16)
    assert item["rates"].shape == (2, 8, 8, 8)
    assert item["maps"].shape[-2:] == item["sharp"].shape[-2:] == (16, 16)
    assert torch.equal(item["blurry"], item["pictures"][:, 0])
    assert all(part.isfinite().all() for part in item.values())


def test_the_pool_grows_and_stays_within_its_bound(photos, tmp_path):
    source = pool(photos, tmp_path, capacity=FIRST + 3)
    assert max(map(source.number, range(REUSE))) < FIRST
    drawn = [source.number(position) for position in range(10 * FIRST * REUSE)]
    assert max(drawn) == FIRST + 2


def test_a_damaged_file_is_made_again(photos, tmp_path):
    source = pool(photos, tmp_path)
    item = source[0]
    path = source.folder / f"{source.number(0):08d}.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    assert equal(source[0], item)


def test_a_pool_is_refused_where_it_serves_nothing(photos, tmp_path):
    config = load_config("small", ["MODEL.REFINER=null"])
    with pytest.raises(UsageError, match="refiner"):
        run_training(
            config,
            photos=photos,
            pool=tmp_path / "pool",
            output=tmp_path / "run",
            report=lambda event: None,
        )
