"""Operations are counted as their definitions say, and the machine convolves at its best."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from spikedeblur.benchmarking import operations
from spikedeblur.benchmarking.operations import (
    Convolution,
    conv3d_flop,
    convolution_rates,
    operation_counter,
)

CPU = torch.device("cpu")


def counted(run: Callable[[], object]) -> int:
    with torch.inference_mode(), operation_counter() as counter:
        run()
    return counter.get_total_flops()


def test_convolutions_and_linear_layers_count_their_products_and_sums() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(5, 7, 1),
        nn.Flatten(),
        nn.Linear(7 * 6 * 8, 11),
    )
    expected = 2 * 2 * (6 * 8 * (3 * 5 * 9 + 5 * 7) + 7 * 6 * 8 * 11)
    assert counted(lambda: model(torch.rand(2, 3, 6, 8))) == expected


@pytest.mark.parametrize("bias", [None, torch.zeros(4, 5, 6)])
def test_attention_counts_its_two_products(bias: torch.Tensor | None) -> None:
    query, keys = torch.rand(3, 4, 5, 8), torch.rand(3, 4, 6, 8)
    mask = None if bias is None else bias.expand(3, 4, 5, 6)
    flop = counted(
        lambda: functional.scaled_dot_product_attention(query, keys, keys, attn_mask=mask)
    )
    assert flop == 2 * 3 * 4 * 5 * 6 * (8 + 8)


@pytest.mark.usefixtures("small_convolution")
def test_the_convolution_of_the_machine_counts_what_it_does() -> None:
    assert counted(Convolution(CPU, torch.float32)) == conv3d_flop() == 2 * 128 * 32 * 32 * 27


@pytest.mark.usefixtures("small_convolution")
@pytest.mark.parametrize("faster", operations.MEMORY_FORMATS, ids=str)
def test_the_machine_convolves_in_its_faster_layout(
    faster: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    convolve = functional.conv3d
    seen: list[torch.Tensor] = []

    def spy(volume: torch.Tensor, *args: torch.Tensor, **keywords: int) -> torch.Tensor:
        seen.append(volume)
        return convolve(volume, *args, **keywords)

    def seconds_of(run: Callable[[], None], _device: torch.device) -> float:
        run()
        return 1.0 if seen[-1].is_contiguous(memory_format=faster) else 2.0

    monkeypatch.setattr(functional, "conv3d", spy)
    monkeypatch.setattr(operations, "seconds_of", seconds_of)
    Convolution(CPU, torch.float32)()
    assert seen[-1].is_contiguous(memory_format=faster)


def test_the_rate_is_of_32_channels_over_five_frames_in_the_faster_layout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Operations over seconds; the layout is sought once, by three convolutions of each."""
    volumes: list[torch.Tensor] = []

    def spy(volume: torch.Tensor, kernel: torch.Tensor, padding: int) -> None:
        assert kernel.shape == (32, 32, 3, 3, 3) and padding == 1
        volumes.append(volume)

    def seconds_of(run: Callable[[], None], _device: torch.device) -> float:
        run()
        return 0.5 if volumes[-1].is_contiguous(memory_format=torch.channels_last_3d) else 1.0

    monkeypatch.setattr(functional, "conv3d", spy)
    monkeypatch.setattr(operations, "seconds_of", seconds_of)
    rates = convolution_rates("cpu", torch.get_num_threads())
    gflop = 2 * 5 * 180 * 320 * 32 * 32 * 27 / 1e9
    assert [next(rates), next(rates)] == [pytest.approx(gflop / 0.5)] * 2
    assert {tuple(volume.shape) for volume in volumes} == {(1, 32, 5, 180, 320)}
    assert len(volumes) == 2 * 3 + 2
