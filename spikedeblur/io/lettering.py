"""Words in pictures: capitals of five by seven dots, scaled by whole pixels."""

from __future__ import annotations

import numpy as np

__all__ = ["LETTER_HEIGHT", "lettered"]

LETTER_HEIGHT, LETTER_WIDTH = 7, 5
# Seven rows from the top, the highest of five bits on the left.
GLYPHS = {
    "A": "0E11111F111111",
    "B": "1E11111E11111E",
    "C": "0E11101010110E",
    "D": "1E11111111111E",
    "E": "1F10101E10101F",
    "F": "1F10101E101010",
    "G": "0E11101711110F",
    "H": "1111111F111111",
    "I": "0E04040404040E",
    "J": "0101010101110E",
    "K": "11121418141211",
    "L": "1010101010101F",
    "M": "111B1515111111",
    "N": "11191513111111",
    "O": "0E11111111110E",
    "P": "1E11111E101010",
    "Q": "0E11111115120D",
    "R": "1E11111E141211",
    "S": "0F10100E01011E",
    "T": "1F040404040404",
    "U": "1111111111110E",
    "V": "11111111110A04",
    "W": "11111115151B11",
    "X": "11110A040A1111",
    "Y": "11110A04040404",
    "Z": "1F01020408101F",
    "0": "0E11131519110E",
    "1": "040C040404040E",
    "2": "0E11010608101F",
    "3": "1F01020601110E",
    "4": "02060A121F0202",
    "5": "1F101E0101110E",
    "6": "0608101E11110E",
    "7": "1F010204040404",
    "8": "0E11110E11110E",
    "9": "0E11110F01020C",
    ".": "00000000000C0C",
    ",": "00000000040408",
    ":": "000C0C000C0C00",
    "-": "0000001F000000",
    "_": "0000000000001F",
    "/": "01010204081010",
    "+": "0004041F040400",
    "?": "0E110102040004",
    " ": "00000000000000",
}


def lettered(text: str, scale: int = 1) -> np.ndarray:
    """`text` in capitals -> (7 scale, 6 scale for each letter, less a gap) bool, True where inked.

    What there is no letter for becomes a question mark.
    """
    rows = np.zeros((LETTER_HEIGHT, max((LETTER_WIDTH + 1) * len(text) - 1, 0)), np.bool_)
    bits = np.arange(LETTER_WIDTH)[::-1]
    for place, character in enumerate(text.upper()):
        glyph = np.frombuffer(bytes.fromhex(GLYPHS.get(character, GLYPHS["?"])), np.uint8)
        left = place * (LETTER_WIDTH + 1)
        rows[:, left : left + LETTER_WIDTH] = glyph[:, None] >> bits & 1
    return rows.repeat(scale, axis=0).repeat(scale, axis=1)
