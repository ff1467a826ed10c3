"""Optimization: AdamW, warm-up then cosine, and the average of the weights over time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

if TYPE_CHECKING:
    from spikedeblur.training.config import TrainConfig

Tensors = tuple[Tensor, ...] | list[Tensor]


def rate_factor(step: int, *, steps: int, warmup: int, floor: float) -> float:
    """Return the learning rate of `step` (from 0) as a fraction of the highest.

    It rises linearly over `warmup` steps, then falls as half a cosine to `floor` at `steps`.
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def learning_rate(step: int, settings: TrainConfig) -> float:
    """Return the learning rate of `step` (from 0)."""
    return settings.LR * rate_factor(
        step,
        steps=settings.STEPS,
        warmup=settings.WARMUP_STEPS,
        floor=settings.MIN_LR / settings.LR,
    )


def build_optimizer(model: nn.Module, settings: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW over the weights that are to be trained."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(
        trained, lr=settings.LR, betas=settings.BETAS, weight_decay=settings.WEIGHT_DECAY
    )


def build_schedule(optimizer: torch.optim.Optimizer, settings: TrainConfig) -> LambdaLR:
    """Return the schedule; it is to be stepped once after every optimiser step."""
    return LambdaLR(optimizer, lambda step: learning_rate(step, settings) / settings.LR)


def ema_decay(updates: int, highest: float) -> float:
    """Return the decay after `updates` updates: low at first, so that the start is forgotten."""
    return min(highest, (1 + updates) / (10 + updates))


def build_average(model: nn.Module, settings: TrainConfig) -> AveragedModel:
    """Return the exponential moving average of the weights, a copy of `model` for now."""

    @torch.no_grad()
    def update(averages: Tensors, weights: Tensors, updates: Tensor | int) -> None:
        torch._foreach_lerp_(averages, weights, 1 - ema_decay(int(updates), settings.EMA_DECAY))

    return AveragedModel(model, multi_avg_fn=update)
