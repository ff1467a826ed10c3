"""Warping and flow composition against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spikedeblur.models.vrt.flow import SpyNet, compose_flows, strided_flows
from spikedeblur.models.vrt.warping import flow_warp, nearest_corners, neighbour_images


def constant_flow(dx: float, dy: float, height: int, width: int, images: int = 1) -> Tensor:
    return (
        torch.tensor([float(dx), float(dy)])
        .view(1, 2, 1, 1)
        .expand(images, 2, height, width)
        .clone()
    )


def test_warp_by_whole_pixels_is_a_shift_with_zeros() -> None:
    x = torch.randn(2, 3, 7, 9)
    warped = flow_warp(x, constant_flow(2, -1, 7, 9, images=2))
    expected = torch.zeros_like(x)
    expected[..., 1:, :-2] = x[..., :-1, 2:]
    torch.testing.assert_close(warped, expected, atol=1e-5, rtol=0)


def test_warp_by_half_a_pixel_is_a_mean_and_border_repeats() -> None:
    x = torch.randn(1, 1, 4, 6)
    warped = flow_warp(x, constant_flow(0.5, 0, 4, 6), padding_mode="border")
    expected = x.clone()
    expected[..., :-1] = (x[..., :-1] + x[..., 1:]) / 2
    torch.testing.assert_close(warped, expected, atol=1e-5, rtol=0)


def test_nearest_corners_order_and_outside() -> None:
    x = torch.arange(1.0, 31).view(1, 1, 5, 6)
    corners = nearest_corners(x, constant_flow(1.25, 2.5, 5, 6))[0]
    at = x[0, 0]
    assert corners[:, 0, 0].tolist() == [at[2, 1], at[3, 1], at[2, 2], at[3, 2]]
    assert corners[:, 2, 4].tolist() == [at[4, 5], 0, 0, 0]
    assert not nearest_corners(x, constant_flow(-20, 0, 5, 6)).any()


def test_nearest_corners_keep_channels_together_and_give_the_flow_no_gradient() -> None:
    x = torch.randn(1, 3, 4, 4, requires_grad=True)
    flow = constant_flow(0, 0, 4, 4).requires_grad_()
    corners = nearest_corners(x, flow)
    assert torch.equal(corners, x.repeat(1, 4, 1, 1))
    corners.sum().backward()
    assert flow.grad is None
    assert torch.equal(x.grad, torch.full_like(x, 4))


def test_neighbour_images_without_motion_are_the_neighbours() -> None:
    frames = torch.randn(2, 3, 3, 8, 8)
    still = torch.zeros(2, 2, 2, 8, 8)
    images = neighbour_images(frames, still, still)
    following, previous = images[:, :, :12], images[:, :, 12:]
    assert torch.equal(following[:, :2, :3], frames[:, 1:])
    assert torch.equal(previous[:, 1:, 9:], frames[:, :2])
    assert not following[:, 2].any()
    assert not previous[:, 0].any()


@pytest.mark.parametrize(("frames", "stride", "left"), [(6, 2, 3), (5, 4, 2), (5, 8, 1), (1, 8, 1)])
def test_composed_flows_of_steady_motion_add_up(frames: int, stride: int, left: int) -> None:
    backward = constant_flow(0.5, 0.25, 32, 32, max(frames - 1, 0))[None]
    one, other = strided_flows([backward], [-backward], 0, stride)
    assert one.shape == other.shape == (1, left - 1, 2, 32, 32)
    centre = slice(8, 24)
    whole = constant_flow(0.5 * stride, 0.25 * stride, 16, 16, left - 1)[None]
    torch.testing.assert_close(one[..., centre, centre], whole)
    torch.testing.assert_close(other[..., centre, centre], -whole)


def test_composition_follows_the_first_step_before_it_looks_up_the_second() -> None:
    """Frames 0, 2, 4 of five are left; the second step of each pair grows along the row."""
    still = torch.tensor([1.0, 3, 4, 6]).view(1, 4, 1, 1, 1) * torch.tensor([1.0, 0]).view(2, 1, 1)
    ramp = 0.1 * torch.arange(64.0) * torch.tensor([1.0, 0]).view(2, 1, 1)
    backward = still.expand(1, 4, 2, 64, 64).clone()
    backward[:, 1::2] += ramp
    forward = still.expand(1, 4, 2, 64, 64).clone()
    forward[:, 0::2] += ramp
    one, other = compose_flows(backward, forward)
    # From x = 20: step by d, then by the other displacement plus 0.1 (x + d).
    assert one[0, :, 0, 20, 20].tolist() == pytest.approx([1 + 3 + 2.1, 4 + 6 + 2.4], abs=1e-4)
    assert other[0, :, 0, 20, 20].tolist() == pytest.approx([3 + 1 + 2.3, 6 + 4 + 2.6], abs=1e-4)
    assert not one[:, :, 1].any()


def test_spynet_chunks_and_single_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = SpyNet().eval()
    frames = torch.rand(1, 3, 3, 40, 72)
    with torch.no_grad():
        whole = net(frames)
        monkeypatch.setattr("spikedeblur.models.vrt.flow.PAIR_PIXELS", 1)
        pieces = net(frames)
    assert [tuple(flow.shape) for flow in whole[0]] == [
        (1, 2, 2, 40, 72), (1, 2, 2, 20, 36), (1, 2, 2, 10, 18), (1, 2, 2, 5, 9)
    ]  # fmt: skip
    for a, b in zip(whole[0] + whole[1], pieces[0] + pieces[1], strict=True):
        torch.testing.assert_close(a, b)
    assert net(frames[:, :1])[1][3].shape == (1, 0, 2, 5, 9)
