"""Small training sets in every known layout; pictures of 32 x 24 pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spikedeblur.io.spikes.stream import write_dat
from tests.training.pictures import noise_photo, write_png

HEIGHT, WIDTH = 24, 32


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, noise_photo(seed, HEIGHT, WIDTH))


def random_spikes(ticks: int, divisor: int, seed: int) -> np.ndarray:
    """Spikes (ticks, h, w) on a plane `divisor` times smaller than the pictures."""
    rng = np.random.default_rng(seed)
    return rng.random((ticks, HEIGHT // divisor, WIDTH // divisor)) < 0.3


def spikes(path: Path, ticks: int, divisor: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_dat(path, [random_spikes(ticks, divisor, seed)])


def in_folders(root: Path, frames: int = 4) -> None:
    """ROOT/{train,val}/SEQ/{blur,sharp,spike}/STEM, 30 ticks on half the plane."""
    for number, sequence in enumerate(("train/one", "train/two", "val/three")):
        for frame in range(frames):
            seed = 100 * number + frame
            picture(root / sequence / "blur" / f"{frame:05d}.png", seed)
            picture(root / sequence / "sharp" / f"{frame:05d}.png", seed + 50)
            spikes(root / sequence / "spike" / f"{frame:05d}.dat", 30, 2, seed)
    (root / "spike.toml").write_text(f"width = {WIDTH // 2}\nheight = {HEIGHT // 2}\n")


def spk_gopro(root: Path, extra: int = 0) -> None:
    """A training sequence of 7 and a test sequence of 11 frames' blur; `extra` ticks each side."""
    for number, (split, name, ticks) in enumerate(
        (("train", "GOPR0372_07_00", 56), ("test", "GOPR0384_11_00", 88))
    ):
        for frame in range(3):
            seed = 100 * number + frame
            folder = root / "GOPRO_Large" / split / name
            picture(folder / "blur_gamma" / f"{frame * 7 + 4:06d}.png", seed)
            picture(folder / "sharp" / f"{frame * 7 + 4:06d}.png", seed + 50)
            dat = root / "GOPRO_Large_spike_seq" / split / name / "spike"
            spikes(dat / f"{frame * 7 + 4:06d}.dat", ticks + 2 * extra, 2, seed)


def spk_x4k(root: Path, length: int = 5) -> None:
    """Scenes of 24 ticks with a blurry frame of `length` ticks about each tick."""
    for number, (split, scene) in enumerate((("train", "002/occ1"), ("val", "003/occ2"))):
        spikes(root / f"{split}_spike_2xds" / scene / "spike.dat", 24, 2, number)
        for tick in range(24):
            stem = f"{tick // 4:04d}" + (f"_{tick % 4 - 1:03d}" if tick % 4 else "")
            picture(root / f"{split}_blurry_{length}" / scene / f"{stem}.png", 100 * number + tick)
            picture(root / f"{split}_fullRGB" / scene / f"{stem}.png", 100 * number + tick + 50)


def s_sdm(root: Path, full: bool = False) -> None:
    """137 ticks a frame on a quarter of the plane, or the `full` plane."""
    for number, split in enumerate(("train", "test")):
        for frame in range(3):
            seed, inside = 100 * number + frame, f"GOPR{number}/{19 + 13 * frame:06d}"
            picture(root / split / "blur_data" / f"{inside}.png", seed)
            picture(root / split / "sharp_data" / f"{inside}.png", seed + 50)
            folder, divisor = ("spike_full", 1) if full else ("spike_data", 4)
            spikes(root / split / folder / f"{inside}.dat", 137, divisor, seed)
