"""Distance of two images in the features of VGG16 (Johnson et al. 2016; Simonyan, Zisserman 2015).

No weights are shipped: the user names a file with torchvision's keys (`features.0.weight`, ...).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from spikedeblur.errors import WeightsError
from spikedeblur.models.tensor_files import read_tensors

# Convolutions per block, by their width; the features compared are those that end a block.
VGG16_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class PerceptualDistance(nn.Module):
    """Mean absolute difference of the features at the end of VGG16's first four blocks."""

    mean: Tensor
    std: Tensor

    def __init__(self, weights_file: Path | str) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(vgg16_blocks())
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        load_vgg16(self.blocks, Path(weights_file))
        self.requires_grad_(False)

    def forward(self, restored: Tensor, sharp: Tensor) -> Tensor:
        """Compare images (N, 3, H, W) in [0, 1]; returns a scalar."""
        restored = (restored - self.mean) / self.std
        sharp = (sharp - self.mean) / self.std
        distance = restored.new_zeros(())
        for block in self.blocks:
            restored, sharp = block(restored), block(sharp)
            distance = distance + (restored - sharp).abs().mean()
        return distance / len(self.blocks)


def vgg16_blocks() -> list[nn.Sequential]:
    """Build the first four blocks; every block but the first opens with its pooling."""
    blocks, width = [], 3
    for widths in VGG16_BLOCKS:
        layers: list[nn.Module] = [nn.MaxPool2d(2)] if width != 3 else []
        for wider in widths:
            layers += [nn.Conv2d(width, wider, 3, padding=1), nn.ReLU()]
            width = wider
        blocks.append(nn.Sequential(*layers))
    return blocks


def load_vgg16(blocks: nn.ModuleList, path: Path) -> None:
    """Fill the convolutions, in order, from torchvision's `features.N` keys.

    Raises `WeightsError` when the file cannot be read or is not of VGG16.
    """
    stored = read_tensors(path)
    # torchvision counts convolutions, ReLUs and poolings in one sequence.
    layers = [layer for block in blocks if isinstance(block, nn.Sequential) for layer in block]
    for index, layer in enumerate(layers):
        if not isinstance(layer, nn.Conv2d):
            continue
        for name, parameter in layer.named_parameters():
            key = f"features.{index}.{name}"
            value = stored.get(key)
            if value is None or value.shape != parameter.shape:
                raise WeightsError(
                    f"{path} is not of VGG16 ({key} is missing or of another shape)"
                    " - give torchvision's vgg16 weights"
                )
            parameter.data.copy_(value)
