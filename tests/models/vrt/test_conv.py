"""Convolution over clips against torch's own Conv3d."""

from __future__ import annotations

import pytest
import torch

from spikedeblur.models.clip_conv import ClipConv
from spikedeblur.models.vrt.conv import ConvBlock


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize(
    "shape",
    [(1, 4, 5, 6, 7), (1, 4, 4, 6, 7), (2, 4, 3, 6, 6), (1, 4, 1, 5, 5), (1, 4, 2, 2600, 3)],
)
@pytest.mark.parametrize("stride", [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_clip_conv_equals_conv3d(
    depth: int, shape: tuple[int, ...], stride: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    conv = ClipConv(4, 5, depth, stride)
    steps = (stride[0], stride[1], stride[1])
    plain = torch.nn.Conv3d(4, 5, (depth, 3, 3), stride=steps, padding=(depth // 2, 1, 1))
    plain.load_state_dict(conv.state_dict())
    inputs = [torch.randn(shape).requires_grad_()]
    inputs.append(inputs[0].detach().clone().requires_grad_())
    results = [conv(inputs[0]), plain(inputs[1])]
    torch.testing.assert_close(*results)
    for result in results:
        result.square().sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(conv.weight.grad, plain.weight.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("per_frame", [False, True])
def test_block_mixes_frames_unless_per_frame(per_frame: bool) -> None:
    block = ConvBlock(4, per_frame, 0.0)
    x = torch.randn(1, 3, 6, 6, 4)
    changed = x.clone()
    changed[:, 2] += 1
    assert torch.equal(block(x)[:, 1], block(changed)[:, 1]) == per_frame
