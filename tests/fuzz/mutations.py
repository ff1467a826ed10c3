"""Files spoilt in the ways that files are spoilt, and in those that attackers think of.

What is drawn are the changes, not the file: hypothesis keeps the bytes of 10,000 examples.
"""

from __future__ import annotations

import struct

from hypothesis import strategies as st

# Numbers at which counts, lengths and offsets go wrong, as they stand in files.
LIMITS = sorted({struct.pack(form, number & (1 << 8 * struct.calcsize(form)) - 1)
                 for form in ("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")
                 for number in (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31,
                                2**32 - 1, 2**63 - 1, 2**64 - 1)})
# Where, modulo the length of the file: near the beginning, where headers are, as often as anywhere.
PLACES = st.integers(0, 255) | st.integers(0, 1 << 20)
Change = tuple[str, int, int | bytes]
CHANGES: st.SearchStrategy[list[Change]] = st.lists(st.one_of(
    st.tuples(st.just("flip"), PLACES, st.integers(0, 7)),
    st.tuples(st.just("limit"), PLACES, st.sampled_from(LIMITS)),
    st.tuples(st.just("cut"), PLACES, st.just(0)),
    st.tuples(st.just("drop"), PLACES, st.integers(1, 64)),
    st.tuples(st.just("double"), PLACES, st.integers(1, 256)),
    st.tuples(st.just("noise"), PLACES, st.binary(max_size=32))), min_size=1, max_size=6)


def spoilt(whole: bytes, changes: list[Change]) -> bytes:
    """`whole` with each change made in turn: a bit flipped, bytes set to a limit, the rest cut,
    some bytes dropped, some doubled, noise put in.
    """
    content = bytearray(whole)
    for kind, place, how in changes:
        if not content:
            break
        at = place % len(content)
        if isinstance(how, bytes):
            content[at:at + (len(how) if kind == "limit" else 0)] = how
        elif kind == "flip":
            content[at] ^= 1 << how
        elif kind == "double":
            content[at:at] = content[at:at + how]
        else:
            del content[at:at + how if kind == "drop" else None]
    return bytes(content)
