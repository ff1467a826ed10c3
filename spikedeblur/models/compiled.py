"""torch.compile for the blocks that a network repeats.

Compiling the whole network takes minutes and is done again for every size of frame; blocks of one
kind share their kernels.
"""

from __future__ import annotations

import importlib.util
import os
import shutil

import torch
from torch import nn

from spikedeblur.errors import UsageError
from spikedeblur.models.residual import Block

COMPILERS = ("g++", "clang++", "c++", "cl")
KERNELS = 128  # of one kind of block: every width and every shift of a window is another


def compile_blocks(model: nn.Module, device: torch.device) -> None:
    """Have the blocks of `model` compiled for `device` when they first run, in place.

    A block that cannot be compiled runs as it is, and torch warns of it.
    Raises `UsageError` where the machine has nothing to compile with.
    """
    require_compiler(device)
    torch._dynamo.config.suppress_errors = True
    torch._dynamo.config.recompile_limit = KERNELS
    for module in model.modules():
        if isinstance(module, Block):
            module.compile()


def require_compiler(device: torch.device) -> None:
    """Raise `UsageError` unless torch finds what makes machine code for `device`."""
    if device.type == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise UsageError(
                "torch.compile needs triton on a GPU (not installed) - install it, or "
                "do without compiling"
            )
        return
    named = [os.environ["CXX"]] if "CXX" in os.environ else COMPILERS
    if not any(map(shutil.which, named)):
        raise UsageError(
            f"torch.compile needs a C++ compiler ({', '.join(named)} not found) - "
            "install one, or do without compiling"
        )
