"""Files spoilt in the ways that files are spoilt, and in those that attackers think of."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

# Numbers at which counts, lengths and offsets go wrong.
LIMITS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1,
          2**64 - 1]
FORMATS = ["<B", "<H", ">H", "<I", ">I", "<Q", ">Q"]


@st.composite
def mutated(draw: st.DrawFn, whole: bytes, changes: int = 6) -> bytes:
    """`whole` with up to `changes` places changed: flipped, cut, doubled, or set to a limit.

    Places near the beginning, where headers are, come as often as all the others.
    """
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, changes))):
        if not content:
            break
        last = len(content) - 1
        at = draw(st.integers(0, min(last, 255)) | st.integers(0, last))
        kind = draw(st.sampled_from(["flip", "limit", "cut", "drop", "double", "noise"]))
        if kind == "flip":
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "limit":
            form = draw(st.sampled_from(FORMATS))
            size = struct.calcsize(form)
            number = draw(st.sampled_from(LIMITS)) & (1 << (8 * size)) - 1
            content[at:at + size] = struct.pack(form, number)
        elif kind == "cut":
            del content[at:]
        elif kind == "drop":
            del content[at:at + draw(st.integers(1, 64))]
        elif kind == "double":
            part = content[at:at + draw(st.integers(1, 256))]
            content[at:at] = part
        else:
            content[at:at] = draw(st.binary(max_size=32))
    return bytes(content)
