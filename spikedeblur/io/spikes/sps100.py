"""The layout of the sps100, a camera of 1000x1000 pixels whose headers number the lines.

It writes two half rows of 64 bytes for each row. The highest 12 bits of each are its header: line
(10 bits), then channel (2). The first half row of a plane is line 500 of channel 0, the last one
line 500 of channel 3. Files begin and end anywhere in a plane.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikedeblur.io.spikes.layouts import Layout

__all__ = ["SPS100"]

_UNIT = 16  # bytes; what the recorder writes comes in such pieces
_PLANE_UNITS = 8000
_FIRST_HEADER, _LAST_HEADER = 3, _PLANE_UNITS - 1
_START = 500
_END = 3 << 10 | 500
_PROBED_PLANES = 6


class LineHeaders(Layout):
    """Planes that are found, and checked, by the headers of their lines."""

    def first_plane(self, path: Path, bit_order: str) -> int | None:
        """All the whole planes among the first few must begin and end with the right headers."""
        with path.open("rb") as file:
            head = np.frombuffer(file.read(_PROBED_PLANES * _PLANE_UNITS * _UNIT), np.uint8)
        units = head[: len(head) // _UNIT * _UNIT].reshape(-1, _UNIT)
        headers = _headers(units, bit_order)
        candidates = len(headers) - _PLANE_UNITS + 1
        if candidates < 1:
            return None
        starts = headers[_FIRST_HEADER:][:candidates] == _START
        whole = starts & (headers[_LAST_HEADER:][:candidates] == _END)
        for unit in np.flatnonzero(whole[:_PLANE_UNITS]):
            if whole[unit::_PLANE_UNITS].all():
                return int(unit) * _UNIT
        return None

    def check(self, packed: NDArray[np.uint8], bit_order: str) -> NDArray[np.bool_]:
        units = packed.reshape(len(packed), _PLANE_UNITS, _UNIT)
        starts = _headers(units[:, _FIRST_HEADER], bit_order) == _START
        return starts & (_headers(units[:, _LAST_HEADER], bit_order) == _END)


SPS100 = LineHeaders(
    "sps100",
    "12 header columns after each 500 pixels",
    runs=2,
    header=12,
    flip=False,
    size=(1000, 1000),
    cut=True,
    unit=_UNIT,
)


def _headers(units: NDArray[np.uint8], bit_order: str) -> NDArray[np.uint16]:
    """The line and channel bits of (n, 16) bytes, should they end a half row -> (n,)."""
    last = np.ascontiguousarray(units[:, -2:])
    if bit_order == "big":
        last = np.packbits(np.unpackbits(last, axis=1), axis=1, bitorder="little")
    words: NDArray[np.uint16] = last.view("<u2")[:, 0] >> np.uint16(4)
    return words
