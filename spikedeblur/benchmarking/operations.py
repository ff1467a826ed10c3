"""Operations: how many a network asks for, and how many a second the machine can do.

An operation is a product or a sum of two numbers; as in torch's counter only those of
convolutions, matrix products and attention count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from math import prod

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from spikedeblur.machine.threads import use_threads
from spikedeblur.models.linear import ONEDNN

CONV_SHAPE = (4, 64, 6, 64, 64)
"""(N, C, T, H, W) of the convolution that stands for the machine: enough for oneDNN's full rate,
and more than one clip, which torch would give to its slower kernel."""

RATE_SHAPE = (1, 32, 5, 180, 320)
"""That of the convolution whose rate goes with the time of a method: a layer over five frames."""

MEMORY_FORMATS = (torch.channels_last_3d, torch.contiguous_format)


def attention_flop(
    query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: object, **__: object
) -> int:
    """Operations of attention over shapes (B, h, n, d), (B, h, m, d), (B, h, m, v): its products.

    As for the other operators that are counted, softmax and additions are left out.
    """
    batch, heads, queries, width = query
    return 2 * batch * heads * queries * key[2] * (width + value[3])


def linear_flop(x: Sequence[int], weight: Sequence[int], *_: object, **__: object) -> int:
    """Operations of a linear layer over shapes (..., n) and (m, n)."""
    return 2 * prod(x) * weight[0]


def operation_counter() -> FlopCounterMode:
    """torch's counter, which (2.13) knows the fused operators of GPUs, not those of the CPU."""
    mapping: dict[object, Callable[..., int]] = {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_flop
    }
    if ONEDNN:
        mapping[torch.ops.mkldnn._linear_pointwise] = linear_flop
    return FlopCounterMode(display=False, custom_mapping=mapping)


def conv3d_flop(shape: Sequence[int] | None = None) -> int:
    """Operations of a 3x3x3 convolution over (N, C, T, H, W) that keeps its channels.

    None for the 64-channel one that stands for the machine.
    """
    batch, channels, *volume = shape or CONV_SHAPE
    return 2 * batch * prod(volume) * channels * channels * 27


class Convolution:
    """The convolution that stands for the machine, in the memory layout in which it is fastest.

    shape: (N, C, T, H, W), None for `CONV_SHAPE`.
    """

    def __init__(
        self, device: torch.device, dtype: torch.dtype, shape: tuple[int, ...] | None = None
    ) -> None:
        self._device = device
        shape = shape or CONV_SHAPE
        channels = shape[1]
        shapes = (shape, (channels, channels, 3, 3, 3))
        self._operands = [torch.rand(each, device=device, dtype=dtype) for each in shapes]
        self._lay_out(min(MEMORY_FORMATS, key=self._seconds_in))

    def __call__(self) -> None:
        """Convolve once."""
        with torch.inference_mode():
            functional.conv3d(self._operands[0], self._operands[1], padding=1)

    def _seconds_in(self, layout: torch.memory_format) -> float:
        """The better of two, after one that sets things up."""
        self._lay_out(layout)
        self()
        return min(seconds_of(self, self._device) for _ in range(2))

    def _lay_out(self, layout: torch.memory_format) -> None:
        self._operands = [operand.contiguous(memory_format=layout) for operand in self._operands]


def convolution_rates(device: str, threads: int) -> Iterator[float]:
    """Yield, whenever asked, the rate of one convolution over `RATE_SHAPE` in fp32.

    In 10^9 operations a second. Its operands are held meanwhile, so that a method whose memory is
    measured wants this in another process.
    """
    use_threads(threads)
    place = torch.device(device)
    convolve = Convolution(place, torch.float32, RATE_SHAPE)
    while True:
        yield conv3d_flop(RATE_SHAPE) / seconds_of(convolve, place) / 1e9


def seconds_of(run: Callable[[], None], device: torch.device) -> float:
    """Wall time of `run`, with what it gives the device to do."""
    _finish(device)
    began = time.perf_counter()
    run()
    _finish(device)
    return time.perf_counter() - began


def _finish(device: torch.device) -> None:
    """Wait for what the device has been given to do."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
