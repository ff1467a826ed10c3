"""The schedule at its known points, and the average of the weights by its recurrence."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spikedeblur.training.config import TrainConfig
from spikedeblur.training.optimization import (
    build_average,
    build_optimizer,
    build_schedule,
    ema_decay,
    learning_rate,
)

SETTINGS = TrainConfig(STEPS=110, WARMUP_STEPS=10, LR=1e-3, MIN_LR=1e-5, EMA_DECAY=0.9)


def test_rate_rises_linearly_then_falls_as_half_a_cosine() -> None:
    rates = [learning_rate(step, SETTINGS) for step in range(111)]
    assert rates[:10] == pytest.approx([1e-4 * (step + 1) for step in range(10)])
    assert rates[10] == pytest.approx(1e-3)
    assert rates[60] == pytest.approx((1e-3 + 1e-5) / 2)  # half way
    assert rates[35] + rates[85] == pytest.approx(1e-3 + 1e-5)  # a cosine is odd about it
    assert rates[110] == pytest.approx(1e-5)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_optimizer_uses_the_rate_of_each_step() -> None:
    model = nn.Linear(2, 1)
    optimizer = build_optimizer(model, SETTINGS)
    schedule = build_schedule(optimizer, SETTINGS)
    for step in range(110):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(learning_rate(step, SETTINGS))
        optimizer.step()
        schedule.step()


def test_no_warm_up_and_a_warm_up_longer_than_the_run() -> None:
    assert learning_rate(0, SETTINGS.model_copy(update={"WARMUP_STEPS": 0})) == pytest.approx(1e-3)
    short = SETTINGS.model_copy(update={"STEPS": 5})
    assert learning_rate(4, short) == pytest.approx(5e-4)


def test_the_average_follows_its_recurrence_and_forgets_the_start() -> None:
    model = nn.Linear(3, 2)
    average = build_average(model, SETTINGS)
    start = model.weight.detach().clone()
    expected = None
    for update in range(40):
        with torch.no_grad():
            model.weight.add_(torch.randn(2, 3))
        average.update_parameters(model)
        decay = min(0.9, (1 + update) / (10 + update))
        current = model.weight.detach()
        expected = current.clone() if expected is None else decay * expected + (1 - decay) * current
    assert expected is not None
    torch.testing.assert_close(next(average.module.parameters()).detach(), expected)
    assert float((expected - start).abs().max()) > 0.1


def test_decay_warms_up_to_its_highest() -> None:
    assert ema_decay(0, 0.999) == pytest.approx(0.1)
    assert ema_decay(10**6, 0.999) == 0.999
    assert ema_decay(5, 0.0) == 0.0  # no averaging at all
