"""A small grey picture in the characters of a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

COLUMNS, LINES = 72, 40
RAMP = " .:-=+*#%@"
FIRST_GREY, GREYS = 232, 24  # of the 256 colours that terminals have agreed on


def picture_lines(picture: np.ndarray, *, colour: bool) -> Iterator[str]:
    """(H, W, 3) uint8 -> lines of at most 72 characters, each about twice as high as wide.

    With colour each character shows two pixels, one above the other; else one, by how dense it is.
    """
    from spikedeblur.recording.resample import resize_planes

    height, width = picture.shape[:2]
    factor = min(COLUMNS / width, 2 * LINES / height, 1)
    rows = max(round(height * factor / 2), 1)
    shape = (rows * (2 if colour else 1), max(round(width * factor), 1))
    grey = resize_planes(picture[..., 0].astype("float32"), shape) / 255
    if not colour:
        for row in grey:
            yield "".join(RAMP[min(int(value * len(RAMP)), len(RAMP) - 1)] for value in row)
        return
    shades = FIRST_GREY + (grey * (GREYS - 1) + 0.5).astype(int)
    for upper, lower in zip(shades[::2], shades[1::2], strict=True):
        blocks = (
            f"\x1b[38;5;{above};48;5;{below}m\u2580"
            for above, below in zip(upper, lower, strict=True)
        )
        yield "".join(blocks) + "\x1b[0m"


def shows_colour() -> bool:
    """Return whether stdout is a terminal that has the colours and the characters for it."""
    blocks = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    return (
        sys.stdout.isatty()
        and blocks
        and "NO_COLOR" not in os.environ
        and os.environ.get("TERM", "dumb") != "dumb"
    )
