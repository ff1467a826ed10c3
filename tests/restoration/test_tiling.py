"""Tiles: weights that sum to one everywhere, and results equal to those of the whole frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.errors import UsageError
from spikedeblur.restoration.tiling import MULTIPLE, Axis, OverlapAdd, TileGrid, default_overlap


@st.composite
def grids(draw: st.DrawFn) -> tuple[int, int, int, int]:
    tile = draw(st.integers(2 * MULTIPLE, 100))
    return (
        draw(st.integers(1, 300)),
        draw(st.integers(1, 300)),
        tile,
        draw(st.integers(0, tile // 2)),
    )


@given(grids())
def test_weights_are_not_negative_and_sum_to_exactly_one(grid):
    height, width, tile, overlap = grid
    total = OverlapAdd((), height, width)
    for area, weight in TileGrid(height, width, tile, overlap):
        assert weight.shape == (area.height, area.width) and weight.min() >= 0
        total.add(area, weight, np.ones_like(weight))
    assert (total.total == 1).all()


@given(grids())
def test_tiles_are_full_size_aligned_and_overlap_as_asked(grid):
    length, _, tile, overlap = grid
    axis = Axis.split(length, tile, overlap)
    sizes = [stop - start for start, stop in zip(axis.starts, axis.stops, strict=True)]
    assert all(start % MULTIPLE == 0 for start in axis.starts)
    assert axis.starts[0] == 0 and axis.stops[-1] == length
    if length > tile:
        assert set(sizes[:-1]) == {tile}
        assert tile - MULTIPLE < sizes[-1] <= tile
        step = max((tile - overlap) // MULTIPLE * MULTIPLE, MULTIPLE)
        assert max(np.diff(axis.starts)) <= step
        assert len(sizes) == 1 + -(-(length - tile) // step)
    else:
        assert sizes == [length]


@given(grids())
def test_the_outer_quarter_of_an_overlap_is_discarded(grid):
    length, _, tile, overlap = grid
    axis = Axis.split(length, tile, overlap)
    edge = overlap // 4
    for index, weight in enumerate(axis.weights()):
        if index > 0:
            assert not weight[:edge].any()
        if index < len(axis.starts) - 1:
            assert not weight[len(weight) - edge :].any()


@given(grids())
def test_there_is_no_ramp_at_the_border_of_the_frame(grid):
    length, _, tile, overlap = grid
    weights = Axis.split(length, tile, overlap).weights()
    assert weights[0][0] == 1 and weights[-1][-1] == 1


def assemble(image: np.ndarray, tile: int, overlap: int, model) -> np.ndarray:
    out = OverlapAdd(image.shape[:-2], *image.shape[-2:])
    for area, weight in TileGrid(*image.shape[-2:], tile, overlap):
        out.add(area, weight, model(image[(..., *area.area)]))
    return out.total


def box_blur(image: np.ndarray) -> np.ndarray:
    """5 x 5 mean with reflection at the border: needs two pixels of surroundings."""
    padded = np.pad(image, [(0, 0), (2, 2), (2, 2)], "symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2))
    return windows.mean((-1, -2), dtype=np.float32)


@settings(max_examples=40, deadline=None)
@given(grids(), st.integers(0, 2**32 - 1))
def test_identity_gives_the_frame_back(grid, seed):
    height, width, tile, overlap = grid
    image = np.random.default_rng(seed).random((3, height, width), np.float32)
    result = assemble(image, tile, overlap, lambda x: x)
    np.testing.assert_allclose(result, image, rtol=0, atol=2e-7)


@pytest.mark.parametrize("shape", [(1, 1), (7, 150), (97, 131), (64, 64), (65, 200), (33, 48)])
@pytest.mark.parametrize(("tile", "overlap"), [(32, 16), (48, 12), (64, 32)])
def test_a_model_that_sees_less_than_the_overlap_is_the_same_tiled(shape, tile, overlap):
    image = np.random.default_rng(0).random((2, *shape), np.float32)
    np.testing.assert_allclose(
        assemble(image, tile, overlap, box_blur), box_blur(image), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(("tile", "overlap"), [(16, 0), (0, 0), (-64, 0), (64, 33), (64, -1)])
def test_impossible_tiles_are_refused(tile, overlap):
    with pytest.raises(UsageError):
        TileGrid(100, 100, tile, overlap)


def test_default_overlap_is_a_quarter_of_the_tile_up_to_64():
    assert [default_overlap(tile) for tile in (32, 128, 256, 1024)] == [8, 32, 64, 64]
