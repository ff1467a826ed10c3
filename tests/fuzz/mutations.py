"""Files spoilt in the ways that files are spoilt, and in those that attackers think of.

What a test draws are the changes, as plain bytes, not the file: hypothesis keeps the values of
10,000 examples, and takes longer to draw a structure than most readers to refuse a file.
"""

from __future__ import annotations

import struct
from pathlib import Path

from hypothesis import strategies as st

# Numbers at which counts, lengths and offsets go wrong, as they stand in files.
LIMITS = sorted(
    {
        struct.pack(form, number & (1 << 8 * struct.calcsize(form)) - 1)
        for form in ("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")
        for number in (
            0,
            1,
            0x7F,
            0x80,
            0xFF,
            0x7FFF,
            0xFFFF,
            2**31 - 1,
            2**31,
            2**32 - 1,
            2**63 - 1,
            2**64 - 1,
        )
    }
)
CHANGE = struct.Struct("<BHI")  # what to do, how much of it, where
CHANGES = st.binary(min_size=CHANGE.size, max_size=6 * CHANGE.size)


def spoilt(whole: bytes, changes: bytes) -> bytes:
    """`whole` with up to six places changed: a bit flipped, bytes set to a limit, the rest cut,
    some bytes dropped, some doubled, noise put in.

    Places near the beginning, where headers are, come as often as all the others.
    """
    content = bytearray(whole)
    for start in range(0, len(changes) - CHANGE.size + 1, CHANGE.size):
        if not content:
            break
        kind, much, place = CHANGE.unpack_from(changes, start)
        at = (place % 256 if kind < 128 else place) % len(content)
        match kind % 6:
            case 0:
                content[at] ^= 1 << much % 8
            case 1:
                limit = LIMITS[much % len(LIMITS)]
                content[at : at + len(limit)] = limit
            case 2:
                del content[at:]
            case 3:
                del content[at : at + 1 + much % 64]
            case 4:
                content[at:at] = content[at : at + 1 + much % 256]
            case 5:
                content[at:at] = changes[start : start + 1 + much % 32]
    return bytes(content)


def write(path: Path, content: bytes) -> None:
    """Make a new file of that name: to replace what stands in one waits for the disk."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)
