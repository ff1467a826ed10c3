"""Clips that were solved once, kept on disk, and trained on often.

What a network is given of a clip does not depend on weights (`prior.features`), but takes longer
than a training step. So clips are made once, a file each, and cut, mirrored, reversed in time and
recoloured anew whenever they are drawn. Which clip belongs to a position of the run is arithmetic
on that position: the pool grows while training runs, and a resumed run sees the same clips.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from torch.utils.data import Dataset

from spikedeblur.io.atomic import atomic_path, make_folder
from spikedeblur.prior.features import prior_features
from spikedeblur.prior.planes import resize
from spikedeblur.training.data.randomness import POOL, stream

if TYPE_CHECKING:
    from spikedeblur.training.data.datasets import PhotoClips

FIRST = 16  # clips that are there before any is drawn twice
REUSE = 8  # draws for every new clip, until the pool is full
CAPACITY = 1000  # clips; of 128x128 pixels and 5 frames, 5 MB each
FEATURES = ("pictures", "maps", "rates", "sharp")


class PooledClips(Dataset[dict[str, Tensor]]):
    """Pieces of `crop` pixels of the clips of `source`, which are larger, with their features.

    An item holds pictures (T, P, 3, H, W), maps (T, M, H, W), rates (T, K, H/2, W/2), blurry and
    sharp (T, 3, H, W) and target_time, float32. Runs of one seed, size and batch on the same
    photographs share the clips in `folder`.
    """

    def __init__(
        self, source: PhotoClips, folder: Path, crop: int, capacity: int = CAPACITY
    ) -> None:
        self.source, self.crop, self.capacity = source, crop, capacity
        self.folder = folder / key_of(source)
        self.epoch = 0
        make_folder(self.folder)

    def __len__(self) -> int:
        return len(self.source)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose clips are drawn from now on."""
        self.epoch = epoch

    def number(self, position: int) -> int:
        """Return which clip of the pool is drawn at a position of the run."""
        size = min(self.capacity, FIRST + position // REUSE)
        return int(stream(self.source.seed, position, POOL).integers(size))

    def needed(self, draws: int) -> int:
        """Clips that so many draws ask for, about: every one that may be drawn."""
        return min(self.capacity, FIRST + draws // REUSE, draws)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        position = self.epoch * len(self) + index
        clip = self.solved(self.number(position))
        return varied(clip, stream(self.source.seed, position, POOL, POOL), self.crop)

    def solved(self, number: int) -> dict[str, Tensor]:
        """Read clip `number`, or make it where it is not there or cannot be read."""
        path = self.folder / f"{number:08d}.safetensors"
        try:
            return load_file(path)
        except (OSError, SafetensorError):
            clip = self.made(number)
        with atomic_path(path, overwrite=True) as aside:
            aside.write_bytes(save(clip))
        return clip

    def made(self, number: int) -> dict[str, Tensor]:
        """Draw clip `number` and find out what its spikes say."""
        epoch, index = divmod(number, len(self.source))
        self.source.set_epoch(epoch)
        clip = self.source[index]
        height, width = clip["blurry"].shape[-2:]
        features = prior_features(
            clip["blurry"][None], clip["voxels"][None], clip["target_time"][None]
        )
        rates = resize(features.rates, (height // 2, width // 2))
        parts = (features.pictures, features.maps, rates, clip["sharp"])
        solved = {key: part.half() for key, part in zip(FEATURES, parts, strict=True)}
        return {**solved, "target_time": clip["target_time"]}


def key_of(source: PhotoClips) -> str:
    """Name what the clips of a source depend on."""
    names = [path.name for path in source.photos.paths]
    parts = (names, source.size, source.clip_len, source.bins, source.length)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
    return f"seed-{source.seed}-{digest}"


def varied(clip: dict[str, Tensor], rng: np.random.Generator, crop: int) -> dict[str, Any]:
    """Cut a piece of a clip; mirror it, reverse its time, exchange its colours at random."""
    side = clip["sharp"].shape[-1]
    y, x = (2 * int(n) for n in rng.integers((side - crop) // 2 + 1, size=2))
    pieces = {key: cut(clip[key], y, x, crop, side).float() for key in FEATURES}
    target = clip["target_time"]
    for axes in ((-1,), (-2,)):
        if rng.random() < 0.5:
            pieces = {key: piece.flip(axes) for key, piece in pieces.items()}
    if rng.random() < 0.5:
        pieces = {key: piece.transpose(-1, -2) for key, piece in pieces.items()}
    if rng.random() < 0.5:
        pieces = {key: piece.flip(0) for key, piece in pieces.items()}
        pieces["rates"], target = pieces["rates"].flip(1), -target
    colours = torch.from_numpy(rng.permutation(3))
    pieces["pictures"], pieces["sharp"] = (
        pieces[key][..., colours, :, :] for key in ("pictures", "sharp")
    )
    pieces = {key: piece.contiguous() for key, piece in pieces.items()}
    return {**pieces, "blurry": pieces["pictures"][:, 0].contiguous(), "target_time": target}


def cut(planes: Tensor, y: int, x: int, crop: int, side: int) -> Tensor:
    """Cut the same square out of planes of the frame's size or of half of it."""
    step = side // planes.shape[-1]
    rows, columns = (slice(at // step, (at + crop) // step) for at in (y, x))
    return planes[..., rows, columns]
