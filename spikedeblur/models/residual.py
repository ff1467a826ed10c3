"""Marks of a network's parts, for initialisation and compilation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


class Residual(nn.Module):
    """A part that adds something to its input: x + branch(x)."""

    def last_layers(self) -> Sequence[nn.Module]:
        """The layers that end its branches: with their weights at zero it passes its input on."""
        raise NotImplementedError


class Block(Residual):
    """A part that a network repeats: all of one kind and shape share a compiled kernel."""
