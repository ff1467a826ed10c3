"""A street as a photograph, and a small rig before it."""

from __future__ import annotations

from pathlib import Path

from spikedeblur.sample.picture import draw_street
from tests.training.pictures import write_png

STREET_RIG = {
    "frames": 3,
    "size": "96x64",
    "spike_size": "48x32",
    "rate_hz": 20_000,
    "fps": 50,
    "exposure": "0.45x",
    "blur_px": 5,
    "seed": 3,
}


def street_photo(folder: Path) -> Path:
    """Write the photograph that `spikedeblur.simulate` moves before the rig."""
    photo = folder / "wall.png"
    write_png(photo, draw_street(seed=0))
    return photo
