"""Datasets for training and validation: clips made of photographs, or recorded ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch.utils.data import Dataset

from spikedeblur.errors import UsageError
from spikedeblur.quantities import counted
from spikedeblur.simulation.clips import Clip, Conditions, random_clip, random_ratio
from spikedeblur.simulation.photos import PHOTO_SUFFIXES, PhotoLibrary, find_photos, held_out
from spikedeblur.training.config import Config
from spikedeblur.training.data.pool import PooledClips
from spikedeblur.training.data.randomness import CLIP, OTHER_SCENE, RATIO, SPOILING, spoiled, stream
from spikedeblur.training.data.recorded import (
    RecordedClips,
    training_sequences,
    validation_sequences,
)
from spikedeblur.training.data.sampler import ClipSource
from spikedeblur.training.data.sequences import RecordedSequence

VALIDATION_SEED = 20_000


class PhotoClips(Dataset[dict[str, torch.Tensor]]):
    """`length` random clips per epoch; clip i of an epoch is a function of (seed, epoch, i).

    An item is a dict of float32: blurry (T, 3, H, W) sRGB in steps of 1/255, sharp (T, 3, H, W)
    the view at target_time (scalar, exposures from the middle), voxels (T, bins, Hs, Ws) counts.

    Clips of a batch must have one spike size: indices i with the same i // `group` share their
    ratio of spike to frame pixels. With `group` = `length` = the batch size an epoch is a batch,
    and the order in which it is drawn does not matter.

    A share `bad_spikes` of clips gets spikes that tell nothing (none, another scene's, or out of
    order); their target is the noise-free blurry picture, so that nothing is learnt to be invented.
    """

    def __init__(
        self,
        photos: Path | str | Iterable[Path | str],
        *,
        crop: int | tuple[int, int],
        clip_len: int,
        bins: int,
        seed: int,
        length: int,
        conditions: Conditions | None = None,
        bad_spikes: float = 0.1,
        group: int = 1,
    ) -> None:
        self.photos = PhotoLibrary(photos)
        self.size = (crop, crop) if isinstance(crop, int) else crop
        self.clip_len, self.bins, self.seed, self.length = clip_len, bins, seed, length
        self.conditions = conditions or Conditions()
        self.bad_spikes, self.group = bad_spikes, group
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose clips are drawn from now on."""
        self.epoch = epoch

    def ratio(self, index: int) -> float:
        """Spike pixels per frame pixel, along a side, of clip `index`."""
        key = (self.seed, self.epoch, index // self.group, RATIO)
        return random_ratio(stream(*key), self.conditions)

    def clip(self, index: int, purpose: int = CLIP) -> Clip:
        """Clip `index` with good spikes; another `purpose` gives another clip of its shape."""
        rng = stream(self.seed, self.epoch, index, purpose)
        return random_clip(
            self.photos,
            rng,
            size=self.size,
            clip_len=self.clip_len,
            bins=self.bins,
            ratio=self.ratio(index),
            conditions=self.conditions,
        )

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if not 0 <= index < self.length:
            raise IndexError(index)
        clip = self.clip(index)
        sharp, voxels = clip.sharp, clip.voxels
        rng = stream(self.seed, self.epoch, index, SPOILING)
        if rng.random() < self.bad_spikes:
            sharp, voxels = (
                clip.clean,
                spoiled(voxels, rng, lambda: self.clip(index, OTHER_SCENE).voxels),
            )
        return {
            "blurry": clip.blurry,
            "sharp": sharp,
            "voxels": voxels,
            "target_time": torch.tensor(clip.target_time, dtype=torch.float32),
        }


def photo_clips(config: Config, photos: list[Path], larger: int = 1) -> PhotoClips:
    """Training clips synthesised from `photos`; an epoch is one batch, see `PhotoClips`.

    larger: how many times the crop's side a clip measures.
    """
    batch = config.TRAIN.BATCH_SIZE
    return PhotoClips(
        photos,
        crop=larger * config.DATA.CROP_SIZE,
        clip_len=config.DATA.CLIP_LEN,
        bins=config.DATA.K,
        seed=config.TRAIN.SEED,
        length=batch,
        group=batch,
    )


def validation_clips(config: Config, photos: list[Path]) -> PhotoClips:
    """A fixed set of clips with good spikes, the same for any seed of the run."""
    return PhotoClips(
        photos,
        crop=2 * config.DATA.CROP_SIZE,
        clip_len=config.DATA.CLIP_LEN,
        bins=config.DATA.K,
        seed=VALIDATION_SEED,
        length=config.TRAIN.VAL_CLIPS,
        conditions=Conditions(blur_px=(4.0, 40.0), still=0.0),
        bad_spikes=0.0,
    )


def recorded_clips(config: Config, sequences: list[RecordedSequence]) -> RecordedClips:
    """Training clips cut out of `sequences`."""
    return RecordedClips(
        sequences,
        crop=config.DATA.CROP_SIZE,
        clip_len=config.DATA.CLIP_LEN,
        bins=config.DATA.K,
        seed=config.TRAIN.SEED,
    )


def recorded_validation(config: Config, sequences: list[RecordedSequence]) -> RecordedClips:
    """Whole frames, some of every part of `sequences`."""
    return RecordedClips(
        sequences,
        crop=None,
        clip_len=config.DATA.CLIP_LEN,
        bins=config.DATA.K,
        length=config.TRAIN.VAL_CLIPS,
    )


def holds_photos(folder: Path) -> bool:
    """Return whether photographs lie in `folder` itself and not in sequences below it."""
    return folder.is_dir() and any(
        path.suffix.lower() in PHOTO_SUFFIXES for path in folder.iterdir()
    )


def training_and_validation(
    config: Config,
    *,
    photos: Path | None,
    data: Path | None,
    layout: str | None = None,
    val: Path | None = None,
    pool: Path | None = None,
) -> tuple[ClipSource, ClipSource]:
    """The clips of a training run, and those on which it is measured.

    From `photos`, or recorded in `data`, whose `layout` is seen from its folders unless named;
    `val` is a folder of either kind for validation. `pool` keeps solved clips of photographs.
    Raises `UsageError` unless exactly one of `photos` and `data` is given, `InputError` for
    folders that hold no such thing.
    """
    if photos is not None and data is None:
        return from_photos(config, photos, val, pool)
    if data is not None and photos is None:
        training, validation = training_sequences(data, val, layout)
        return recorded_clips(config, training), recorded_validation(config, validation)
    raise UsageError(
        "training wants one source of clips (both or none given) - give either --photos or --data"
    )


def from_photos(
    config: Config, photos: Path, val: Path | None, pool: Path | None
) -> tuple[ClipSource, ClipSource]:
    """Clips made of `photos`; validation clips of `val`, or of photographs kept out."""
    seen = find_photos(photos)
    validation: ClipSource
    if val is None:
        seen, unseen = held_out(seen)
        validation = validation_clips(config, unseen)
    elif holds_photos(val):
        validation = validation_clips(config, find_photos(val))
    else:
        validation = recorded_validation(config, validation_sequences(val))
    if pool is None:
        return photo_clips(config, seen), validation
    return PooledClips(photo_clips(config, seen, larger=2), pool, config.DATA.CROP_SIZE), validation


def described(clips: ClipSource) -> str:
    """Say in words what there is to learn from."""
    if isinstance(clips, PooledClips):
        return f"{described(clips.source)}, clips of which are kept in {clips.folder}"
    if isinstance(clips, PhotoClips):
        return counted(len(clips.photos), "photograph")
    return counted(len(clips), "recorded clip")
