"""A linear layer by the library that convolves, where nothing is learnt.

On the CPU torch gives matrix products in fp32 to MKL, which takes two and a half times as long for
them on processors of another maker than its own as oneDNN does (measured on an AMD EPYC; equal to
the last bit or nearly). torch calls oneDNN from compiled code only, by the operator used here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class Linear(nn.Linear):
    """`torch.nn.Linear`, with the same parameters and result."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        if not by_onednn(x):
            return super().forward(x)
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return out


def by_onednn(x: Tensor) -> bool:
    """Return whether oneDNN may be called: not for what is learnt, compiled, traced or mixed."""
    return (
        ONEDNN
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )
