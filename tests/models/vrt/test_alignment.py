"""Deformable alignment against loops over its definition."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from spikedeblur.models.vrt import alignment
from spikedeblur.models.vrt.alignment import DeformableAlignment, align_neighbours, deform_conv


def bilinear(plane: Tensor, y: float, x: float) -> float:
    """Sample with zeros outside."""
    top, left = math.floor(y), math.floor(x)
    total = 0.0
    for row, column in product((top, top + 1), (left, left + 1)):
        if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            total += weight * float(plane[row, column])
    return total


def test_deform_conv_equals_its_definition() -> None:
    torch.manual_seed(0)
    channels, out, groups, height, width = 4, 3, 2, 4, 5
    x = torch.randn(1, channels, height, width)
    offset = 1.5 * torch.randn(1, 18 * groups, height, width)
    mask = torch.rand(1, 9 * groups, height, width)
    weight, bias = torch.randn(out, channels, 3, 3), torch.randn(out)
    expected = bias.view(1, out, 1, 1).repeat(1, 1, height, width)
    for y, column, c, k in product(range(height), range(width), range(channels), range(9)):
        g = c // (channels // groups)
        dy, dx = offset[0, 2 * (9 * g + k) : 2 * (9 * g + k) + 2, y, column].tolist()
        value = bilinear(x[0, c], y - 1 + k // 3 + dy, column - 1 + k % 3 + dx)
        value *= float(mask[0, 9 * g + k, y, column])
        expected[0, :, y, column] += value * weight[:, c, k // 3, k % 3]
    actual = deform_conv(x, offset, mask, weight, bias)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def test_without_offsets_it_is_a_convolution() -> None:
    x, weight, bias = torch.randn(2, 6, 8, 7), torch.randn(6, 6, 3, 3), torch.randn(6)
    actual = deform_conv(x, torch.zeros(2, 54, 8, 7), torch.ones(2, 27, 8, 7), weight, bias)
    expected = torch.nn.functional.conv2d(x, weight, bias, padding=1)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=1e-4)


def test_neutral_start_samples_along_the_flow_at_half_weight() -> None:
    torch.manual_seed(0)
    layer = DeformableAlignment(4, groups=2, max_residue=10)
    source = torch.randn(1, 4, 12, 12)
    flow = torch.tensor([3.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 12, 12)
    actual = layer(source, torch.randn_like(source), flow)
    plain = torch.nn.functional.conv2d(source, layer.weight / 2, padding=1)
    torch.testing.assert_close(actual[..., 1:10, 1:8], plain[..., 2:11, 4:11], atol=1e-5, rtol=1e-4)


def test_neighbours_stand_in_their_places_whatever_the_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    layer = DeformableAlignment(4, groups=2, max_residue=5)
    torch.nn.init.normal_(layer.conv_offset[-1].weight, std=0.1)
    x = torch.randn(2, 3, 8, 8, 4)
    backward, forward = torch.randn(2, 2, 2, 2, 8, 8)
    whole = align_neighbours(layer, x, backward, forward)
    images = x.permute(0, 1, 4, 2, 3)
    for n, t in product(range(2), range(2)):
        from_next = layer(images[n, t + 1][None], images[n, t][None], backward[n, t][None])
        from_previous = layer(images[n, t][None], images[n, t + 1][None], forward[n, t][None])
        torch.testing.assert_close(whole[n, t, ..., :4], from_next[0].permute(1, 2, 0))
        torch.testing.assert_close(whole[n, t + 1, ..., 4:], from_previous[0].permute(1, 2, 0))
    assert not whole[:, 2, ..., :4].any()
    assert not whole[:, 0, ..., 4:].any()
    monkeypatch.setattr(alignment, "PIXELS_AT_ONCE", 3 * 64)
    torch.testing.assert_close(align_neighbours(layer, x, backward, forward), whole)
