"""The bundled sample: pictures of our own drawing, and the recording that `simulate` makes of them.

Spikes hardly compress, so a recording would be many times the size of the whole package; it is
made where it is wanted, the same to the bit each time.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

from spikedeblur.io.image_files import write_image
from spikedeblur.sample.picture import draw_street

NAME = "sample"
SAMPLE_SIZE = (480, 270)
SAMPLE_FRAMES = 20
SAMPLE_SEED = 1


def make_sample(folder: Path, overwrite: bool = False) -> None:
    """Write the sample case into `folder`: blurry.mkv, sharp.mkv, spikes.dat, spikes.toml.

    480x270 at 50 frames a second, spikes of half that size at 20 kHz, the shutter open for most of
    the interval and about 7 pixels of motion in it. Raises what `simulate` raises.
    """
    from spikedeblur.simulation.rig import RigSettings
    from spikedeblur.simulation.simulation import simulate_rig

    settings = RigSettings(
        frames=SAMPLE_FRAMES,
        size=SAMPLE_SIZE,
        fps=Fraction(50),
        blur_px=7.0,
        threshold=1.0,
        seed=SAMPLE_SEED,
    )
    with tempfile.TemporaryDirectory() as pictures:
        for seed in range(2):
            write_image(Path(pictures) / f"street{seed}.png", draw_street(seed=seed))
        simulate_rig(pictures, folder, settings, overwrite=overwrite)
