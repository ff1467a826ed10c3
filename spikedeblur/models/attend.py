"""Scaled dot-product attention: torch's fused kernels, spelt out where a graph is exported."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def attend(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None, dropout: float = 0
) -> Tensor:
    """softmax(q k' / sqrt(d) + bias) v over (..., n, d); `bias` broadcasts to (..., n, m).

    Graphs have no such operator before ONNX's opset 23, and torch cannot take its own apart for
    sizes that have no value.
    """
    if not torch.compiler.is_exporting():
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropout)
    logits = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    return (logits if bias is None else logits + bias).softmax(dim=-1) @ v
