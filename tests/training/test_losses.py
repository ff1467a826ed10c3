"""The loss by its formula, and the perceptual term against a network put together by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.functional.image import peak_signal_noise_ratio

from spikedeblur.errors import ConfigError, WeightsError
from spikedeblur.training.config import LossConfig
from spikedeblur.training.losses import RestorationLoss, charbonnier

# Channels of VGG16's convolutions by their place in torchvision's `features`.
VGG16 = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    12: (256, 256),
    14: (256, 256),
    17: (256, 512),
    19: (512, 512),
    21: (512, 512),
}
POOLED_BEFORE = (5, 10, 17)
BLOCK_ENDS = (2, 7, 14, 21)


def test_charbonnier_by_its_formula() -> None:
    restored, sharp = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.0, 0.1, 0.7])
    expected = (1e-3 + (0.4**2 + 1e-6) ** 0.5 + (0.3**2 + 1e-6) ** 0.5) / 3
    assert float(charbonnier(restored, sharp, 1e-3)) == pytest.approx(expected, rel=1e-6)


def test_charbonnier_of_half_precision_is_taken_in_single() -> None:
    restored = torch.full((4,), 0.5, dtype=torch.bfloat16)
    loss = charbonnier(restored, torch.full((4,), 0.5005), 1e-4)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(5.1e-4, rel=0.01)


def test_a_decibel_in_any_clip_counts_alike() -> None:
    """Two clips, of which the one or the other is a decibel better; torchmetrics says which."""
    sharp = torch.rand(2, 3, 3, 20, 20, generator=torch.Generator().manual_seed(1))
    errors = torch.tensor([0.2, 0.1])[:, None, None, None, None]
    loss = RestorationLoss(LossConfig(KIND="psnr"))
    plain = float(loss(sharp + errors, sharp))
    for clip in (0, 1):
        better = errors.clone()
        better[clip] *= 10 ** (-1 / 20)
        pictures = sharp[clip], sharp[clip] + errors[clip], sharp[clip] + better[clip]
        before, after = (
            float(peak_signal_noise_ratio(each, pictures[0], data_range=1.0))
            for each in pictures[1:]
        )
        assert after - before == pytest.approx(1, abs=1e-3)
        gain = plain - float(loss(sharp + better, sharp))
        assert gain == pytest.approx(0.023 / 2, rel=0.02)


def test_a_perceptual_weight_without_a_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="PERCEPTUAL_WEIGHTS_FILE"):
        RestorationLoss(LossConfig(PERCEPTUAL_WEIGHT=0.1))


def vgg_weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for place, (narrow, wide) in VGG16.items():
        scale = (2 / (9 * narrow)) ** 0.5
        weights[f"features.{place}.weight"] = scale * torch.randn(
            wide, narrow, 3, 3, generator=generator
        )
        weights[f"features.{place}.bias"] = torch.zeros(wide)
    return weights


def features(image: Tensor, weights: dict[str, Tensor]) -> list[Tensor]:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (image - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    ends = []
    for place in VGG16:
        if place in POOLED_BEFORE:
            x = functional.max_pool2d(x, 2)
        x = functional.conv2d(
            x, weights[f"features.{place}.weight"], weights[f"features.{place}.bias"], padding=1
        ).relu()
        if place in BLOCK_ENDS:
            ends.append(x)
    return ends


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_perceptual_distance_is_that_of_the_users_vgg16(suffix: str, tmp_path: Path) -> None:
    weights = vgg_weights()
    path = tmp_path / f"vgg16{suffix}"
    if suffix == ".pth":
        torch.save({**weights, "classifier.0.bias": torch.zeros(1)}, path)
    else:
        save_file(weights, path)
    loss = RestorationLoss(LossConfig(PERCEPTUAL_WEIGHT=0.5, PERCEPTUAL_WEIGHTS_FILE=str(path)))
    video = torch.rand(2, 1, 2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    restored, sharp = nn.Parameter(video[0]), video[1]
    expected = (
        sum(
            (a - b).abs().mean()
            for a, b in zip(
                features(restored.flatten(0, 1), weights),
                features(sharp.flatten(0, 1), weights),
                strict=True,
            )
        )
        / 4
    )
    value = loss(restored, sharp) - charbonnier(restored, sharp, 1e-3)
    torch.testing.assert_close(value, 0.5 * expected, rtol=1e-4, atol=1e-6)
    value.backward()
    assert restored.grad is not None and bool(restored.grad.abs().sum() > 0)
    assert not any(weight.requires_grad for weight in loss.parameters())


def test_weights_that_are_not_vgg16_are_refused(tmp_path: Path) -> None:
    for name, content in (
        ("missing.pth", None),
        ("noise.pth", b"no weights"),
        ("noise.safetensors", b"no weights"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        settings = LossConfig(PERCEPTUAL_WEIGHT=1, PERCEPTUAL_WEIGHTS_FILE=str(tmp_path / name))
        with pytest.raises(WeightsError, match=name):
            RestorationLoss(settings)
    save_file({"features.0.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"features\.0\.weight"):
        RestorationLoss(
            LossConfig(
                PERCEPTUAL_WEIGHT=1, PERCEPTUAL_WEIGHTS_FILE=str(tmp_path / "other.safetensors")
            )
        )
