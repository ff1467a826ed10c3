"""Which clips a step sees: every clip of an epoch once, in an order that resuming continues."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.training.data.sampler import (
    BatchPlan,
    EndlessClips,
    PlannedBatches,
    batches_of,
    clip_loader,
)


class NumberedClips:
    """Clips that carry nothing but (epoch, index)."""

    def __init__(self, count: int) -> None:
        self.count, self.epoch = count, 0

    def __len__(self) -> int:
        return self.count

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"blurry": torch.tensor([self.epoch, index]), "voxels": None}


def seen(clips: EndlessClips, first: int, last: int) -> list[tuple[int, int]]:
    return [tuple(clips[position]["blurry"].tolist()) for position in range(first, last)]  # type: ignore[index]


@given(count=st.integers(1, 12), seed=st.integers(0, 9))
def test_an_epoch_holds_every_clip_once(count: int, seed: int) -> None:
    clips = EndlessClips(NumberedClips(count), seed)
    for epoch in range(3):
        drawn = seen(clips, epoch * count, (epoch + 1) * count)
        assert sorted(drawn) == [(epoch, index) for index in range(count)]


def test_epochs_differ_in_order_and_seeds_too() -> None:
    clips = EndlessClips(NumberedClips(50), seed=3)
    orders = [
        [index for _, index in seen(clips, 50 * epoch, 50 * (epoch + 1))] for epoch in range(2)
    ]
    assert orders[0] != orders[1]
    again = EndlessClips(NumberedClips(50), seed=3)
    assert seen(again, 25, 75) == seen(clips, 25, 75)
    assert seen(EndlessClips(NumberedClips(50), seed=4), 0, 50) != seen(clips, 0, 50)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_from_a_later_step_are_those_of_the_whole_run(workers: int) -> None:
    plan = BatchPlan(batch_size=2, accumulation=3, rank=1, world_size=2)
    clips = EndlessClips(NumberedClips(7), seed=0)

    def drawn(first: int) -> list[list[list[int]]]:
        loader = clip_loader(clips, PlannedBatches(plan, first, 5), workers)
        return [batch["blurry"].tolist() for batch in batches_of(loader)]

    assert len(drawn(0)) == 15
    assert drawn(3) == drawn(0)[9:]


def test_the_loader_leaves_the_runs_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    plan = BatchPlan(1)
    for workers in (0, 1):
        loader = clip_loader(EndlessClips(NumberedClips(3), 0), PlannedBatches(plan, 0, 3), workers)
        assert len(list(batches_of(loader))) == 3
    assert torch.equal(before, torch.get_rng_state())
