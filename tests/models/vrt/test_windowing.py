"""Window plans against a direct roll, partition and label comparison."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from spikedeblur.models.vrt.windowing import effective_window, window_plan

CPU = torch.device("cpu")
CASES = [
    ((1, 6, 16, 16), (2, 8, 8)),
    ((2, 5, 9, 20), (2, 8, 8)),
    ((1, 7, 12, 8), (6, 4, 4)),
    ((1, 1, 10, 10), (1, 4, 4)),
    ((2, 3, 8, 8), (3, 8, 8)),
]


def naive_masks(shape: tuple[int, ...], window: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """(windows, n) row numbers (-1: padding) and (windows, n, n) masks, in window order."""
    size = shape[1:]
    shift = [w // 2 if s > w else 0 for s, w in zip(size, window, strict=True)]
    padded = [-(-s // w) * w for s, w in zip(size, window, strict=True)]
    rows, masks = [], []

    def label(position: int, axis: int) -> int:
        if not shift[axis] or position < padded[axis] - window[axis]:
            return 0
        return 1 if position < padded[axis] - shift[axis] else 2

    starts = [range(0, p, w) for p, w in zip(padded, window, strict=True)]
    for batch, *corner in product(range(shape[0]), *starts):
        cells = list(product(*(range(c, c + w) for c, w in zip(corner, window, strict=True))))
        labels = [tuple(label(p, axis) for axis, p in enumerate(cell)) for cell in cells]
        masks.append([[0.0 if a == b else -100.0 for b in labels] for a in labels])
        numbers = []
        for cell in cells:
            source = [(p + s) % e for p, s, e in zip(cell, shift, padded, strict=True)]
            inside = all(p < s for p, s in zip(source, size, strict=True))
            d, h, w = source
            row = ((batch * size[0] + d) * size[1] + h) * size[2] + w
            numbers.append(row if inside else -1)
        rows.append(numbers)
    return torch.tensor(rows), torch.tensor(masks)


@pytest.mark.parametrize(("shape", "window"), CASES)
def test_shifted_plan_equals_roll_and_labels(
    shape: tuple[int, int, int, int], window: tuple[int, int, int]
) -> None:
    plan = window_plan(shape, window, True, CPU)
    rows, masks = naive_masks(shape, window)
    slots = plan.index.view(-1, plan.tokens).clone().long()
    if plan.padding is not None:
        slots.view(-1)[plan.padding] = -1
    assert len(plan.classes) <= 8
    assert sum(group.stop - group.start for group in plan.classes) == len(rows)
    expected = {tuple(row.tolist()): mask for row, mask in zip(rows, masks, strict=True)}
    for group in plan.classes:
        mask = torch.zeros(plan.tokens, plan.tokens) if group.mask is None else group.mask
        for window_rows in slots[group.start : group.stop]:
            assert torch.equal(expected.pop(tuple(window_rows.tolist())), mask)
    assert not expected


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(("shape", "window"), CASES)
def test_merge_undoes_partition_with_its_gradient(
    shape: tuple[int, int, int, int], window: tuple[int, int, int], shifted: bool
) -> None:
    plan = window_plan(shape, window, shifted, CPU)
    x = torch.randn(plan.inverse.numel(), 3, requires_grad=True)
    slots = plan.clear_padding(plan.partition(x))
    assert torch.equal(plan.merge(slots), x)
    gradient = torch.randn_like(x)
    plan.merge(2 * slots).backward(gradient)
    assert torch.equal(x.grad, 2 * gradient)
    merged = plan.merge(slots.detach().requires_grad_())
    (into_slots,) = torch.autograd.grad(merged.sum(), merged.grad_fn.next_functions[0][0].variable)
    assert into_slots.sum() == x.numel()  # padding slots receive nothing


def test_effective_window_shrinks_to_the_map_except_pairs_of_frames() -> None:
    assert effective_window((5, 16, 8), (6, 8, 8)) == (5, 8, 8)
    assert effective_window((9, 4, 16), (6, 8, 8)) == (6, 4, 8)
    assert effective_window((1, 16, 16), (2, 8, 8), keep_depth=True) == (2, 8, 8)


def test_plan_made_in_inference_mode_serves_training() -> None:
    shape = (1, 3, 11, 13)
    with torch.inference_mode():
        window_plan(shape, (2, 4, 4), True, CPU)
    plan = window_plan(shape, (2, 4, 4), True, CPU)
    x = torch.randn(3 * 11 * 13, 2, requires_grad=True)
    plan.merge(plan.clear_padding(plan.partition(x))).sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))
