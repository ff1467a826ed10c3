"""Layouts of packed spike files: pixels of a row, and header bits among them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["PLAIN", "Layout", "packed_symbols", "symbol_shifts"]


@dataclass(frozen=True)
class Layout:
    """Rows of `runs` equal runs of pixels, each followed by `header` bits that are no pixels.

    flip: whether such files store rows bottom-up. size: the only (width, height) there is of it.
    cut: files begin and end anywhere in a plane. unit: bytes that are written at a time. bits: of a
    pixel, which counts spikes where it has several.
    """

    name: str
    description: str
    runs: int = 1
    header: int = 0
    flip: bool = True
    size: tuple[int, int] | None = None
    cut: bool = False
    unit: int = 1
    bits: int = 1

    def plane_bytes(self, width: int, height: int) -> int:
        """Bytes of one tick of width x height pixels, header bits included, padded to bytes."""
        return -(-(width + self.runs * self.header) * height * self.bits // 8)

    def first_plane(self, path: Path, bit_order: str) -> int | None:
        """Byte of a file at which its first whole plane begins; None if none does."""
        return 0

    def ticks(self, n_bytes: int, width: int, height: int) -> int | None:
        """Planes in so many bytes, the first at their beginning; None if they are not whole."""
        ticks, rest = divmod(n_bytes, self.plane_bytes(width, height))
        return None if rest and not self.cut else ticks

    def check(self, packed: NDArray[np.uint8], bit_order: str) -> NDArray[np.bool_]:
        """Mark those of (n, plane_bytes) bytes that are planes, as far as headers show -> (n,)."""
        return np.ones(len(packed), np.bool_)

    def unpack(
        self, packed: NDArray[np.uint8], width: int, height: int, bit_order: str
    ) -> NDArray[Any]:
        """Planes of (n, plane_bytes) bytes -> (n, height, width), rows as they are stored.

        bool, or uint8 counts where a pixel has several bits, lowest first in the little bit order.
        """
        run = width // self.runs
        stored = self.runs * (run + self.header) * height
        if self.bits > 1:
            shifts = symbol_shifts(self.bits, bit_order)
            symbols = packed[..., None] >> shifts & np.uint8((1 << self.bits) - 1)
            return symbols.reshape(len(packed), -1)[:, :stored].reshape(-1, height, width)
        bits = np.unpackbits(
            packed, axis=1, count=stored, bitorder="big" if bit_order == "big" else "little"
        ).view(np.bool_)
        runs = bits.reshape(len(packed), height, self.runs, run + self.header)[..., :run]
        return runs.reshape(len(packed), height, width)


def symbol_shifts(bits: int, bit_order: str) -> NDArray[np.uint8]:
    """By how many bits the symbols of a byte are shifted, in the order of their pixels."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    return shifts[::-1] if bit_order == "big" else shifts


def packed_symbols(
    flat: NDArray[Any], bits: int, bit_order: Literal["little", "big"]
) -> NDArray[np.uint8]:
    """Planes (n, pixels) -> (n, bytes)."""
    if bits == 1:
        return np.packbits(flat.astype(np.bool_, copy=False), axis=1, bitorder=bit_order)
    shifts = symbol_shifts(bits, bit_order)
    padded = np.pad(flat.astype(np.uint8), [(0, 0), (0, -flat.shape[1] % len(shifts))])
    symbols = padded.reshape(len(flat), -1, len(shifts)) << shifts
    packed: NDArray[np.uint8] = np.bitwise_or.reduce(symbols, axis=2)
    return packed


PLAIN = Layout("plain", "pixels only")
