"""Validation means are over frames, by the definitions, whoever measures which clip."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikedeblur.training.data.sampler import Batch
from spikedeblur.training.distributed import World
from spikedeblur.training.validation import Validator, clips_of_rank, frame_psnr, frame_ssim
from tests.training.tiny_run import NoiseClips


@given(clips=st.integers(0, 20), processes=st.integers(1, 9))
def test_every_clip_is_measured_by_one_process(clips: int, processes: int) -> None:
    shares = [clips_of_rank(clips, rank, processes) for rank in range(processes)]
    assert sorted(index for share in shares for [index] in share) == list(range(clips))


def test_psnr_of_a_known_error() -> None:
    sharp = torch.full((2, 3, 8, 8), 0.5)
    restored = sharp + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    torch.testing.assert_close(
        frame_psnr(restored, sharp), torch.tensor([20.0, 40.0]), rtol=1e-4, atol=0
    )
    assert float(frame_psnr(sharp, sharp)[0]) == 100


def ssim_by_hand(first: np.ndarray, second: np.ndarray) -> float:
    """Wang et al. 2004 on one channel: 11 x 11 Gaussian of sigma 1.5, whole windows only."""
    ramp = np.arange(-5, 6)
    kernel = np.exp(-(ramp**2) / 4.5)
    weights = np.outer(kernel, kernel) / kernel.sum() ** 2

    def mean(image: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(image, (11, 11))
        return (windows * weights).sum(axis=(-1, -2))

    a, b = mean(first), mean(second)
    spread_a, spread_b = mean(first**2) - a**2, mean(second**2) - b**2
    joint = mean(first * second) - a * b
    c1, c2 = 0.01**2, 0.03**2
    return float(
        (
            ((2 * a * b + c1) * (2 * joint + c2))
            / ((a**2 + b**2 + c1) * (spread_a + spread_b + c2))
        ).mean()
    )


def test_ssim_by_its_definition() -> None:
    generator = np.random.default_rng(0)
    sharp = generator.random((1, 3, 24, 20))
    restored = np.clip(sharp + 0.2 * generator.standard_normal(sharp.shape), 0, 1)
    expected = np.mean([ssim_by_hand(restored[0, c], sharp[0, c]) for c in range(3)])
    value = frame_ssim(torch.from_numpy(restored).float(), torch.from_numpy(sharp).float())
    assert value.shape == (1,)
    assert float(value) == pytest.approx(expected, abs=0.01)  # borders are padded there


def test_means_are_over_frames_of_clamped_output() -> None:
    clips = NoiseClips(4, count=3)
    steps: list[tuple[int, int]] = []

    def model(batch: Batch) -> Tensor:
        return batch["blurry"] * 3 - 1

    quality = Validator(clips, World(torch.device("cpu")), workers=0).measure(
        model, lambda done, total: steps.append((done, total))
    )
    restored, blurry = [], []
    for index in range(3):
        clip = {key: value.numpy().astype(np.float64) for key, value in clips[index].items()}
        for frame in range(2):
            sharp = clip["sharp"][frame]
            output = np.clip(clip["blurry"][frame] * 3 - 1, 0, 1)
            restored.append(-10 * math.log10(((output - sharp) ** 2).mean()))
            blurry.append(-10 * math.log10(((clip["blurry"][frame] - sharp) ** 2).mean()))
    assert quality.psnr == pytest.approx(np.mean(restored), abs=1e-4)
    assert quality.blurry_psnr == pytest.approx(np.mean(blurry), abs=1e-4)
    assert steps == [(1, 3), (2, 3), (3, 3)]
