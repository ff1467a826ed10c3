"""What the numbers of a video stand for: transfer functions, and how frames pass through them.

All of the program works on sRGB. Frames of another curve are decoded to it, by a table, and what
was made of them is brought back; with sRGB itself nothing is done at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedeblur.io.colour_tags import ColourTags
from spikedeblur.recording.light import linear_to_srgb
from spikedeblur.vocabulary import AUTO_TRANSFER, SRGB

__all__ = ["Transfer", "TransferLike", "curve_name", "transfer_of"]

Floats64 = NDArray[np.float64]
TransferLike = str | tuple[tuple[float, float], ...]
"""A name of `TRANSFERS`, gamma:G, or pairs of code and light, both rising, in [0, 1]."""

PQ_WHITE = 1000 / 10_000  # of PQ's scale: 1000 cd/m2, above which light is left as it is
PQ = (2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128)  # m1, m2, c1, c2, c3 of ST 2084
HLG = (0.17883277, 0.28466892, 0.55991073)  # a, b, c of ARIB STD-B67
TAGS = {4: "gamma:2.2", 5: "gamma:2.8", 8: "linear", 16: "pq", 18: "hlg"}  # H.273, but for sRGB
"""Tags of BT.709 and its kin are on nearly every video, whatever curve its camera has: they count
as sRGB, which lies between those curves."""


@dataclass(frozen=True)
class Transfer:
    """A curve other than sRGB. how: name or pairs, as `TransferLike`."""

    how: TransferLike

    def light(self, codes: NDArray[Any]) -> Floats64:
        """Codes in [0, 1] -> linear light, of which 1 is the white that is worked with."""
        codes = np.asarray(codes, np.float64)
        if not isinstance(self.how, str):
            points = np.array(self.how)
            return np.interp(codes, points[:, 0], points[:, 1])
        if self.how.startswith("gamma:"):
            return codes ** float(self.how.removeprefix("gamma:"))
        if self.how == "bt709":
            return np.where(codes < 0.081, codes / 4.5, ((codes + 0.099) / 1.099) ** (1 / 0.45))
        if self.how == "pq":
            m1, m2, c1, c2, c3 = PQ
            power = codes ** (1 / m2)
            light: Floats64 = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
            return light / PQ_WHITE
        if self.how == "hlg":
            a, b, c = HLG
            return np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)
        return codes

    def decoded(self, rgb: NDArray[np.integer]) -> NDArray[np.uint16]:
        """A frame, uint8 or uint16 over the whole scale -> sRGB in uint16 of the same shape."""
        return _table(self, rgb.dtype.str)[rgb]

    def encoded(self, srgb: NDArray[np.float32], blurry: NDArray[Any]) -> NDArray[np.float32]:
        """Pictures (H, W, 3), sRGB in [0, 1] -> codes in [0, 1].

        blurry: the frame as it was read. Where it is brighter than the white worked with it stays.
        """
        table = _table(self, blurry.dtype.str)
        highest = len(table) - 1
        nodes, first = np.unique(table, return_index=True)
        places = (first + np.append(first[1:], highest + 1) - 1) / 2  # the middle of equal ones
        if nodes[-1] == 65535:
            places[-1] = np.searchsorted(table, 65535)  # the lowest that is white
        codes = np.interp(srgb, nodes / 65535, places / highest).astype(np.float32)
        beyond = table[blurry] == 65535
        if places[-1] < 0.99 * highest and beyond.any():
            codes = np.where(beyond, blurry.astype(np.float32) / highest, codes)
        return codes

    def codes(self, light: NDArray[Any]) -> NDArray[np.float32]:
        """Linear light -> codes in [0, 1]: what `light` undoes."""
        steps = np.linspace(0, 1, 1 << 16)
        codes: NDArray[np.float32] = np.interp(light, self.light(steps), steps).astype(np.float32)
        return codes


@lru_cache(maxsize=4)
def _table(transfer: Transfer, dtype: str) -> NDArray[np.uint16]:
    highest = int(np.iinfo(np.dtype(dtype)).max)
    light = transfer.light(np.arange(highest + 1) / highest)
    return np.rint(linear_to_srgb(np.clip(light, 0, 1)) * 65535).astype(np.uint16)


def transfer_of(how: TransferLike | None, tags: ColourTags) -> Transfer | None:
    """The curve that was said, or that the tags tell if it is "auto" or none was; None for sRGB."""
    if how is None or how == AUTO_TRANSFER:
        how = TAGS.get(tags.transfer, SRGB)
    return None if how == SRGB else Transfer(how)


def curve_name(transfer: Transfer | None) -> str:
    """A curve in words: the name that it has, or that it is a table."""
    how = SRGB if transfer is None else transfer.how
    return how if isinstance(how, str) else f"table of {len(how)} points"
