"""How a packed spike file lays out its planes: pixels of a row, and header bits among them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import UsageError
from spikedeblur.vocabulary import PLAIN, SPS10, SPS100

__all__ = ["LAYOUTS", "Layout", "find_sps100", "has_sps100_probes", "layout_named"]


@dataclass(frozen=True)
class Layout:
    """Rows of `runs` equal runs of pixels, each followed by `header` bits that are no pixels.

    flip: whether such files store rows bottom-up. size: the only (width, height) there is of it.
    """

    name: str
    told: str
    runs: int = 1
    header: int = 0
    flip: bool = True
    size: tuple[int, int] | None = None

    def plane_bytes(self, width: int, height: int) -> int:
        """Bytes of one tick of width x height pixels, header bits included, padded to bytes."""
        return -(-(width + self.runs * self.header) * height // 8)

    def unpack(
        self, packed: NDArray[np.uint8], width: int, height: int, bit_order: str
    ) -> NDArray[np.bool_]:
        """Planes of (n, plane_bytes) bytes -> (n, height, width) bool, rows as they are stored."""
        run = width // self.runs
        stored = self.runs * (run + self.header) * height
        bits = np.unpackbits(
            packed, axis=1, count=stored, bitorder="big" if bit_order == "big" else "little"
        ).view(np.bool_)
        runs = bits.reshape(len(packed), height, self.runs, run + self.header)[..., :run]
        return runs.reshape(len(packed), height, width)


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(PLAIN, "pixels only"),
        Layout(SPS10, "16 header columns after the pixels of each row", header=16),
        Layout(
            SPS100,
            "12 header columns after each 500 pixels",
            runs=2,
            header=12,
            flip=False,
            size=(1000, 1000),
        ),
    )
}

# An sps100 writes two half rows of 64 bytes for each row. The highest 12 bits of each are its
# header: line (10 bits), then channel (2). The first half row of a plane is line 500 of channel 0,
# the last one line 500 of channel 3. Files begin and end anywhere in a plane.
_UNIT = 16  # bytes; what the recorder writes comes in such pieces
_PLANE_UNITS = 8000
_FIRST_HEADER, _LAST_HEADER = 3, _PLANE_UNITS - 1
_START = 500
_END = 3 << 10 | 500
PROBED_PLANES = 6


def layout_named(name: str) -> Layout:
    """The layout of that name. Raises UsageError if there is none."""
    if name not in LAYOUTS:
        raise UsageError(f"unknown spike layout ({name!r}) - give {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def find_sps100(path: Path, bit_order: str = "little") -> int | None:
    """Byte at which the first whole plane of an sps100 recording begins; None if it is none.

    All the whole planes among the first few must begin and end with the right headers.
    """
    with path.open("rb") as file:
        head = np.frombuffer(file.read(PROBED_PLANES * _PLANE_UNITS * _UNIT), np.uint8)
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


def has_sps100_probes(planes: NDArray[np.uint8], bit_order: str) -> NDArray[np.bool_]:
    """Which planes, (n, 128000) bytes, begin and end as those of an sps100 do -> (n,)."""
    units = planes.reshape(len(planes), _PLANE_UNITS, _UNIT)
    starts = _headers(units[:, _FIRST_HEADER], bit_order) == _START
    return starts & (_headers(units[:, _LAST_HEADER], bit_order) == _END)


def _headers(units: NDArray[np.uint8], bit_order: str) -> NDArray[np.uint16]:
    """The line and channel bits of (n, 16) bytes, should they end a half row -> (n,)."""
    last = np.ascontiguousarray(units[:, -2:])
    if bit_order == "big":
        last = np.packbits(np.unpackbits(last, axis=1), axis=1, bitorder="little")
    words: NDArray[np.uint16] = last.view("<u2")[:, 0] >> np.uint16(4)
    return words
