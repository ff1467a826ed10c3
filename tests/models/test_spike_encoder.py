"""The spike pyramid against its definition, written out with functional convolutions."""

import torch
from torch.nn.functional import conv3d

from spikedeblur.models.spike_encoder import ResidualBlock3D, SpikeEncoder3D


def test_residual_block_is_its_formula():
    torch.manual_seed(0)
    block = ResidualBlock3D(3).double()
    torch.nn.init.normal_(block.conv2.weight)
    x = torch.randn(1, 3, 4, 5, 6, dtype=torch.double)
    inner = conv3d(x, block.conv1.weight, block.conv1.bias, padding=1).clamp(min=0)
    expected = (x + conv3d(inner, block.conv2.weight, block.conv2.bias, padding=1)).clamp(min=0)
    torch.testing.assert_close(block(x), expected)


def test_untrained_residual_block_keeps_non_negative_features():
    x = torch.rand(1, 4, 2, 6, 6)
    assert torch.equal(ResidualBlock3D(4)(x), x)


def test_bins_become_channels_and_frames_stay_in_order():
    """A spike in bin k of frame t reaches, through in_proj alone, frames t-1..t+1 and no others."""
    encoder = SpikeEncoder3D(4, (2, 2, 2, 2))
    torch.nn.init.ones_(encoder.in_proj.weight)
    torch.nn.init.zeros_(encoder.in_proj.bias)
    voxels = torch.zeros(1, 5, 4, 8, 8)
    voxels[0, 1, 3, 4, 4] = 1
    first = encoder(voxels)[0]
    assert first.sum(dim=(0, 1, 3, 4)).gt(0).tolist() == [True, True, True, False, False]


def test_strides_shape_the_pyramid():
    encoder = SpikeEncoder3D(32, (4, 6, 8, 10), temporal_strides=(2, 2, 2))
    shapes = [tuple(f.shape) for f in encoder(torch.zeros(1, 5, 32, 40, 24))]
    assert shapes == [(1, 4, 5, 40, 24), (1, 6, 3, 20, 12), (1, 8, 2, 10, 6), (1, 10, 1, 5, 3)]
