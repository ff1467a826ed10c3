"""Window attention against loops and closed forms."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from spikedeblur.models.vrt import attention
from spikedeblur.models.vrt.attention import (
    WindowAttention,
    relative_position_index,
    sine_position_code,
)
from spikedeblur.models.vrt.windowing import window_plan

CPU = torch.device("cpu")


@pytest.mark.parametrize("window", [(2, 3, 4), (1, 4, 4), (6, 2, 2)])
def test_relative_position_index_equals_its_definition(window: tuple[int, int, int]) -> None:
    cells = list(product(*map(range, window)))
    wd, wh, ww = window
    expected = [
        [
            (d - e + wd - 1) * (2 * wh - 1) * (2 * ww - 1)
            + (h - i + wh - 1) * (2 * ww - 1)
            + (w - j + ww - 1)
            for e, i, j in cells
        ]
        for d, h, w in cells
    ]
    assert relative_position_index(window).tolist() == expected


def test_an_index_made_in_inference_mode_serves_outside_too() -> None:
    with torch.inference_mode():
        index = attention.relative_position_index((1, 3, 7))  # a window that nothing else asks for
    assert not index.is_inference()


def test_sine_position_code_at_single_entries() -> None:
    code = sine_position_code(8, 8, 12)[0].view(8, 8, 12)

    def angle(position: int, i: int) -> float:
        return 2 * math.pi * position / (8 + 1e-6) / 10000 ** (2 * (i // 2) / 6)

    assert code[2, 5, 0].item() == pytest.approx(math.sin(angle(3, 0)), abs=1e-6)
    assert code[2, 5, 3].item() == pytest.approx(math.cos(angle(3, 3)), abs=1e-6)
    assert code[2, 5, 6 + 4].item() == pytest.approx(math.sin(angle(6, 4)), abs=1e-6)


@pytest.mark.parametrize("size", [(2, 4, 4), (1, 2, 4)])
def test_self_attention_of_one_window(size: tuple[int, int, int]) -> None:
    """Whole and shrunken windows: the bias belongs to the offset between two tokens."""
    torch.manual_seed(0)
    layer = WindowAttention(8, (2, 4, 4), heads=2, mutual=False)
    torch.nn.init.normal_(layer.relative_position_bias_table)
    plan = window_plan((1, *size), size, False, CPU)
    x = torch.randn(plan.tokens, 8)
    q, k, v = layer.qkv_self(x).chunk(3, dim=-1)
    cells = list(product(*map(range, size)))
    heads = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        logits = q[:, part] @ k[:, part].T / 2
        for i, j in product(range(len(cells)), repeat=2):
            d, h, w = (a - b for a, b in zip(cells[i], cells[j], strict=True))
            row = (d + 1) * 49 + (h + 3) * 7 + (w + 3)
            logits[i, j] = logits[i, j] + layer.relative_position_bias_table[row, head]
        heads.append(logits.softmax(-1) @ v[:, part])
    torch.testing.assert_close(layer(x, plan), layer.proj(torch.cat(heads, -1)))


def test_mutual_answers_stand_in_the_place_of_the_frame_asked() -> None:
    torch.manual_seed(0)
    layer = WindowAttention(8, (2, 2, 2), heads=1, mutual=True)
    x = torch.randn(8, 8)
    z = x.view(2, 4, 8) + layer.position_bias
    q, k, v = layer.qkv_mut(z).chunk(3, dim=-1)
    scale = 8**-0.5
    first = (scale * q[1] @ k[0].T).softmax(-1) @ v[0]
    second = (scale * q[0] @ k[1].T).softmax(-1) @ v[1]
    actual = layer._mutual(x[None], None)[0]
    torch.testing.assert_close(actual, torch.cat([first, second]))


def test_runs_of_windows_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = WindowAttention(8, (2, 4, 4), heads=2, mutual=True)
    plan = window_plan((2, 3, 12, 12), (2, 4, 4), True, CPU)
    x = torch.randn(plan.index.numel(), 8)
    whole = layer(x, plan)
    monkeypatch.setattr(attention, "TOKENS_AT_ONCE", 3 * plan.tokens)
    torch.testing.assert_close(layer(x, plan), whole)
