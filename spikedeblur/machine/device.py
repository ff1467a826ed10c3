"""Choice of the device and of its precision."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import torch

from spikedeblur.errors import LOGGER, UsageError
from spikedeblur.vocabulary import PRECISIONS

PRECISION_DTYPES = dict(
    zip(PRECISIONS, (torch.float32, torch.bfloat16, torch.float16), strict=True)
)


def choose_device(name: str) -> torch.device:
    """auto (a GPU if there is one), cpu, cuda, cuda:N or mps -> the device.

    Without N, a process that torchrun has started takes the GPU of its number on this machine.
    Raises `UsageError` for another name, and for a device that this machine does not have.
    """
    if name == "auto":
        name = (
            "cuda"
            if torch.cuda.is_available()
            else "mps"
            if torch.backends.mps.is_available()
            else "cpu"
        )
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"unknown device ({name!r}) - give auto, cpu, cuda, cuda:N or mps")
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }[device.type]
    if (device.index or 0) >= present:
        raise UsageError(f"this machine has no such device ({device}) - give --device auto or cpu")
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """auto, fp32, bf16, fp16 -> the precision to use on `device`.

    auto is fp32, but on CUDA the half precision that the GPU has. Warns of one that is slow there.
    Raises `UsageError`.
    """
    if name not in ("auto", *PRECISIONS):
        raise UsageError(f"unknown precision ({name!r}) - give auto, {', '.join(PRECISIONS)}")
    if name == "fp16" and device.type != "cuda":
        raise UsageError(f"fp16 is for CUDA (device {device.type}) - give --precision fp32 or bf16")
    if name == "bf16" and not computes_bf16(device):
        LOGGER.warning(
            "this CPU has no instructions for bf16: it takes up to a hundred times longer than fp32"
        )
    if name != "auto":
        return name
    if device.type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def computes_bf16(device: torch.device) -> bool:
    """Return whether bf16 runs on instructions made for it, or on oneDNN's kernels without.

    Where oneDNN has none (x86 without AVX-512), convolutions fall back to a loop of torch's own,
    some 50 times slower than in fp32.
    """
    if device.type != "cpu":
        return True
    return bool(
        torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """A context in which the network computes with `precision`."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, PRECISION_DTYPES[precision])
