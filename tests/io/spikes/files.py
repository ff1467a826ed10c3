"""Recordings in every format, written bit by bit from the formats' descriptions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SPS100_LINES = [*range(500, 0, -1), *range(1, 501)]


def scene(height: int, width: int, ticks: int, seed: int = 0) -> np.ndarray:
    """Integrate-and-fire pixels before a smooth random picture that slides to the left."""
    rng = np.random.default_rng(seed)
    noise = rng.random((height + 8, width + ticks // 8 + 8))
    windows = np.lib.stride_tricks.sliding_window_view(noise, (9, 9))
    light = np.clip((windows.mean((-1, -2)) - 0.5) * 4 + 0.35, 0.02, 0.9)
    charge, planes = rng.random((height, width)), []
    for tick in range(ticks):
        charge += light[:, tick // 8 :][:, :width]
        fired = charge >= 1
        charge -= fired
        planes.append(fired)
    return np.array(planes)


def pack(rows: np.ndarray, bit_order: str) -> bytes:
    """Planes of bits (n, rows, columns) -> bytes, by weights; each plane padded to whole bytes."""
    flat = rows.reshape(len(rows), -1).astype(int)
    flat = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 8))).reshape(len(rows), -1, 8)
    weights = 2 ** np.arange(8)
    return (
        (flat * (weights if bit_order == "little" else weights[::-1]))
        .sum(-1)
        .astype(np.uint8)
        .tobytes()
    )


def plain(planes: np.ndarray, *, flip: bool = True, bit_order: str = "little") -> bytes:
    """(n, H, W) planes as a .dat."""
    return pack(planes[:, ::-1] if flip else planes, bit_order)


def sps10(planes: np.ndarray, *, flip: bool = True, bit_order: str = "little") -> bytes:
    """The same with 16 columns of random metadata after the pixels of each row."""
    count, height, _ = planes.shape
    metadata = np.random.default_rng(5).random((count, height, 16)) < 0.5
    rows = planes[:, ::-1] if flip else planes
    return pack(np.concatenate([rows, metadata], axis=2), bit_order)


def sps100(planes: np.ndarray, *, flip: bool = False, bit_order: str = "little") -> bytes:
    """(n, 1000, 1000) planes: each half row of 500 pixels followed by 10 bits of line and 2 of
    channel, lines 500 to 1 in channels 0 and 1, then 1 to 500 in channels 2 and 3.
    """
    rows = planes[:, ::-1] if flip else planes
    lines = np.array(SPS100_LINES)
    parts = []
    for half in range(2):
        channels = np.repeat([half, 2 + half], 500)
        words = lines | channels << 10
        header = (words[:, None] >> np.arange(12)) & 1
        parts.append(rows[:, :, 500 * half : 500 * (half + 1)])
        parts.append(np.broadcast_to(header, (len(rows), 1000, 12)))
    return pack(np.concatenate(parts, axis=2), bit_order)


def write_folder(folder: Path, planes: np.ndarray, ticks: list[int]) -> None:
    """Consecutive parts of `planes` in 0.dat, 1.dat, ... of so many ticks each."""
    folder.mkdir()
    for number, part in enumerate(np.split(planes, np.cumsum(ticks)[:-1])):
        (folder / f"{number}.dat").write_bytes(plain(part))


def planes_of(ticks: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random spikes, three in ten."""
    return np.random.default_rng(seed).random((ticks, height, width)) < 0.3


RATE = {"rate_hz": 20_000}
SMALL = planes_of(40, 9, 12)
ARRAYS = [".npy", ".npz", ".packed.npz", ".h5"]


def saved(
    folder: Path, suffix: str, spikes: np.ndarray, name: str = "spk", **others: np.ndarray
) -> Path:
    """An array file of `spikes` under `name`, and others where the format holds several."""
    path = folder / f"s{suffix}"
    if suffix == ".npy":
        np.save(path, spikes)
    elif suffix == ".h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            for key, value in {name: spikes, **others}.items():
                file.create_dataset(key, data=value, chunks=True, compression="gzip")
    else:
        save = np.savez_compressed if suffix == ".packed.npz" else np.savez
        save(path, **{name: spikes, **others})
    return path
