"""Resampling: closed forms on ramps, nothing lost when averaging, mirrors that never zero."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.prior.planes import mirrored_index, pad_bottom_right, resample, scaling_matrix


def ramp(height, width):
    """A plane whose value at (x, y) is 3x + 5y in continuous coordinates."""
    y, x = np.mgrid[:height, :width] + 0.5
    return torch.tensor(3 * x + 5 * y)[None, None]


@pytest.mark.parametrize("size", [(24, 32), (9, 13), (6, 8), (3, 4)])
def test_scaling_keeps_a_linear_ramp(size):
    """Away from the border, a ramp sampled at scaled places is the ramp of the scaled places."""
    source = ramp(12, 16)
    out = resample(source, scaling_matrix((12, 16), size), size)[0, 0]
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    expected = torch.tensor(3 * x * 16 / size[1] + 5 * y * 12 / size[0])
    inner = (slice(2, -2),) * 2 if min(size) > 6 else (slice(None),) * 2
    torch.testing.assert_close(out[inner], expected[inner])


def test_averaging_down_counts_every_pixel():
    source = torch.rand(1, 2, 12, 16, dtype=torch.double)
    out = resample(source, scaling_matrix((12, 16), (3, 4)), (3, 4))
    torch.testing.assert_close(out.mean(), source.mean())
    torch.testing.assert_close(out[0, 0, 0, 0], source[0, 0, :4, :4].mean())


def test_shift_of_a_homography_moves_the_picture():
    source = torch.rand(1, 1, 8, 8)
    matrix = torch.tensor([[1.0, 0, 2], [0, 1, 1], [0, 0, 1]])
    out = resample(source, matrix, (6, 5))
    torch.testing.assert_close(out, source[:, :, 1:7, 2:7])


def test_tile_equals_crop_of_the_whole():
    source, size = torch.rand(1, 3, 20, 30), (33, 47)
    matrix = scaling_matrix((20, 30), size)
    whole = resample(source, matrix, size)
    shift = torch.tensor([[1.0, 0, 11], [0, 1, 7], [0, 0, 1]], dtype=torch.double)
    tile = resample(source, matrix @ shift, (16, 16))
    torch.testing.assert_close(tile, whole[..., 7:23, 11:27], atol=1e-5, rtol=1e-5)


@given(size=st.integers(1, 40), extra=st.integers(0, 90))
def test_mirror_agrees_with_numpy_where_numpy_has_one(size, extra):
    index = mirrored_index(size, size + extra).numpy()
    assert index.min() >= 0 and index.max() < size
    reach = min(extra, size - 1)
    expected = np.pad(np.arange(size), (0, reach), mode="reflect") if size > 1 else np.arange(1)
    assert (index[: size + reach] == expected).all()
    assert (index[size + reach :] == 0).all()


def test_padding_leaves_the_frame_alone():
    x = torch.rand(2, 3, 5, 7)
    padded = pad_bottom_right(x, 16, 32)
    assert padded.shape == (2, 3, 16, 32)
    assert torch.equal(padded[..., :5, :7], x)
