"""Weighted sums of neighbouring rows and columns of planes.

A matrix along an axis of a picture has a few entries a row, side by side: an average over a cell, a
Gaussian. Sums of these alone are 5 to 20 times as fast on a CPU as products with the whole matrix
or convolutions of single planes.

Shape suffixes: P places, L pixels of an axis, T entries a place, h and w pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Band:
    """A matrix (P, L): entries `weight` (P, T) float, in the columns `index` (P, T) int64."""

    index: Tensor
    weight: Tensor

    @classmethod
    def of(cls, matrix_PL: Tensor) -> Band:
        """Keep the T entries of each row from its first on that is not 0; T fits all rows."""
        there = matrix_PL != 0
        first = there.int().argmax(dim=1)
        last = there.shape[1] - 1 - there.flip(1).int().argmax(dim=1)
        entries = int((last - first).max()) + 1
        begin = first.clamp(max=matrix_PL.shape[1] - entries)
        index = begin[:, None] + torch.arange(entries, device=matrix_PL.device)
        return cls(index, matrix_PL.gather(1, index))

    def of_rows(self, planes_Lw: Tensor) -> Tensor:
        """Apply the matrix to the rows of planes (..., L, w): (..., P, w)."""
        *lead, rows, columns = planes_Lw.shape
        table = planes_Lw.reshape(-1, columns)
        number = len(table) // rows
        begins = rows * torch.arange(number, device=table.device)[:, None, None]
        index = (self.index + begins).flatten(0, 1)
        weight = self.weight.to(table).repeat(number, 1)
        summed = functional.embedding_bag(index, table, per_sample_weights=weight, mode="sum")
        return summed.view(*lead, -1, columns)


def along_both(planes_hw: Tensor, rows: Band, columns: Band) -> Tensor:
    """Apply a matrix to the rows of planes (..., h, w) and another to their columns."""
    return columns.of_rows(rows.of_rows(planes_hw).mT).mT.contiguous()
