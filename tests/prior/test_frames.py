"""What the joint picture makes of a frame: better where it moves, unharmed whatever the spikes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from spikedeblur import classical
from spikedeblur.prior.frames import ReadFrame, joint_frame, lit_areas
from tests.prior.moving import Moving, psnr

INNER = np.s_[:, 8:-8, 8:-8]


def array(picture: Tensor) -> np.ndarray:
    return picture.permute(1, 2, 0).numpy()


def restored(blurry: Tensor, counts: Tensor, target: float = 0.0) -> Tensor:
    """The middle one of three frames."""
    before, here, after = (
        ReadFrame.of_arrays(array(frame), grid.numpy())
        for frame, grid in zip(blurry, counts, strict=True)
    )
    return joint_frame(here, {-1: before, 1: after}, target)


def inner_psnr(picture: Tensor, truth: Tensor) -> float:
    return psnr(picture[INNER], truth[INNER])


@pytest.mark.parametrize("blur", [8, 16])
def test_a_moving_wall_gains_much_over_sdm(blur):
    blurry, counts, sharp = Moving(blur).seen()
    sdm = torch.from_numpy(classical.sdm(array(blurry[1]), counts[1].numpy())).permute(2, 0, 1)
    gained = inner_psnr(restored(blurry, counts), sharp[1]) - inner_psnr(sdm, sharp[1])
    assert gained > 2


def test_any_instant_of_the_exposure_is_restored():
    moving = Moving(12)
    blurry, counts, _ = moving.seen()
    for target in (-0.4, 0.3):
        truth = moving.sharp(1.5 + target)
        picture = restored(blurry, counts, target)
        assert inner_psnr(picture, truth) > inner_psnr(restored(blurry, counts), truth) + 3
        assert inner_psnr(picture, truth) > inner_psnr(blurry[1], truth) + 4


@pytest.mark.parametrize("spikes", [2, 5, 20, 60, 600])
def test_a_still_scene_stays_still(spikes):
    blurry, counts, _ = Moving(0, spikes=spikes).seen()
    assert psnr(restored(blurry, counts), blurry[1]) > 45


@pytest.mark.parametrize("spikes", [2, 10, 20, 40, 60, 160, 600])
def test_a_still_scene_stays_still_by_sdm(spikes):
    """Also near a spike a bin (40 and 60), where the rounding of counts beats with the bins."""
    blurry, counts, _ = Moving(0, spikes=spikes, seed=4).seen()
    for target in (-0.4, 0.0):
        sharp = classical.sdm(array(blurry[1]), counts[1].numpy(), target)
        assert psnr(torch.from_numpy(sharp).permute(2, 0, 1), blurry[1]) > 45


@pytest.mark.parametrize("wrong", ["another scene", "another time", "none", "always", "a tenth"])
def test_wrong_spikes_do_no_harm(wrong):
    blurry, counts, sharp = Moving(12).seen()
    part = torch.zeros_like(counts)
    part[:, :, :15, :15] = counts[:, :, :15, :15]
    given = {
        "another scene": Moving(12, seed=9).seen()[1],
        "another time": torch.roll(counts.flatten(0, 1), 8, 0).view_as(counts),  # 4 of 16 ms
        "none": torch.zeros_like(counts),
        "always": torch.full_like(counts, 10.0),
        "a tenth": part,
    }[wrong]
    assert psnr(restored(blurry, given), sharp[1]) > psnr(blurry[1], sharp[1]) - 0.1


def test_areas_without_any_spike_are_out_of_sight():
    count = torch.ones(1, 1, 40, 40)
    count[..., 10:12, 10:12] = 0  # a few dead pixels
    count[..., 25:, :] = 0
    lit = lit_areas(count)[0, 0]
    assert lit[:24].all() and not lit[26:].any()
