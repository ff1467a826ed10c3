"""Training clips cut out of recorded sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from spikedeblur.errors import InputError
from spikedeblur.simulation.camera import area_weights
from spikedeblur.training.data.layouts import TRAINING, VALIDATION, find_sequences
from spikedeblur.training.data.randomness import CLIP, SPOILING, spoiled, stream
from spikedeblur.training.data.sequences import RecordedSequence


@dataclass(frozen=True)
class ClipPlace:
    """The frames of a sequence that make a clip."""

    sequence: RecordedSequence
    numbers: range


def clip_places(sequences: Sequence[RecordedSequence], clip_len: int) -> list[ClipPlace]:
    """Every clip of `clip_len` frames, their exposures apart where the sequence is long enough.

    Raises `InputError` when no sequence is.
    """
    places = []
    for sequence in sequences:
        step = max(1, min(sequence.step, (len(sequence) - 1) // max(1, clip_len - 1)))
        reach = (clip_len - 1) * step + 1
        places += [
            ClipPlace(sequence, range(first, first + reach, step))
            for first in range(len(sequence) - reach + 1)
        ]
    if not places:
        longest = max((len(sequence) for sequence in sequences), default=0)
        raise InputError(
            f"no sequence is long enough (the longest has {longest} frames) - "
            f"set DATA.CLIP_LEN below {clip_len}"
        )
    return places


def spread(places: list[ClipPlace], count: int) -> list[ClipPlace]:
    """At most `count` of the places, evenly over all."""
    if count >= len(places):
        return places
    return [places[number * len(places) // count] for number in range(count)]


class RecordedClips(Dataset[dict[str, torch.Tensor]]):
    """Clips of recorded `sequences`, as dicts like those of `PhotoClips`; target_time is 0.

    With `crop`, an epoch goes once through all clips, cut at random to crop x crop pixels and
    mirrored, the spikes brought to the first sequence's ratio of spike to frame pixels, so that
    clips can be stacked; clip i is a function of (seed, epoch, i). Without, there are `length`
    whole frames, always the same.
    A share `bad_spikes` gets spikes that tell nothing, and the blurry frames as target.
    """

    def __init__(
        self,
        sequences: Sequence[RecordedSequence],
        *,
        crop: int | None,
        clip_len: int,
        bins: int,
        seed: int = 0,
        length: int | None = None,
        bad_spikes: float = 0.1,
    ) -> None:
        places = clip_places(sequences, clip_len)
        self.places = places if length is None else spread(places, length)
        self.crop, self.bins, self.seed, self.bad_spikes = crop, bins, seed, bad_spikes
        self.epoch = 0
        self._ratio: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.places)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose clips are drawn from now on."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if not 0 <= index < len(self.places):
            raise IndexError(index)
        clip = self.whole(index)
        if self.crop is not None:
            clip = self.cut(clip, stream(self.seed, self.epoch, index, CLIP))
            rng = stream(self.seed, self.epoch, index, SPOILING)
            if rng.random() < self.bad_spikes:
                other = (index + 1 + int(rng.integers(len(self.places)))) % len(self.places)
                clip["sharp"] = clip["blurry"]
                clip["voxels"] = spoiled(
                    clip["voxels"], rng, lambda: self.cut(self.whole(other), rng)["voxels"]
                )
        for name in ("blurry", "sharp"):  # cut first: whole frames as floats are a lot to write
            clip[name] = clip[name].float() / 255
        return clip

    def whole(self, index: int) -> dict[str, torch.Tensor]:
        """Clip `index` with its whole frames, uint8.

        Raises `InputError` for missing or damaged files.
        """
        place = self.places[index]
        frames = list(place.sequence.read(place.numbers, self.bins))
        shapes = {picture.shape for frame in frames for picture in (frame.blurry, frame.sharp)}
        if len(shapes) > 1:
            raise InputError(
                f"pictures of different sizes in {place.sequence.name} "
                f"({sorted(shapes)} seen) - repair the set"
            )
        return {
            "blurry": stacked([frame.blurry for frame in frames]),
            "sharp": stacked([frame.sharp for frame in frames]),
            "voxels": torch.from_numpy(np.stack([frame.counts for frame in frames])),
            "target_time": torch.tensor(0.0),
        }

    def cut(
        self, clip: dict[str, torch.Tensor], rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """A random square of a clip, whole spike pixels from the edge, mirrored at random."""
        assert self.crop is not None
        size, plane = clip["blurry"].shape[2:], clip["voxels"].shape[2:]
        if min(size) < self.crop:
            raise InputError(
                f"frames of {size[1]}x{size[0]} are smaller than the crop - "
                f"set DATA.CROP_SIZE to at most {min(size) // 16 * 16}"
            )
        parts, spikes = [], []
        for pixels, spike_pixels in zip(size, plane, strict=True):
            kept = max(1, round(self.crop * spike_pixels / pixels))
            first = int(rng.integers(spike_pixels - kept + 1))
            start = min(round(first * pixels / spike_pixels), pixels - self.crop)
            parts.append(slice(start, start + self.crop))
            spikes.append(slice(first, first + kept))
        mirrored = [axis for axis in (2, 3) if rng.random() < 0.5]
        cut = {
            "blurry": clip["blurry"][..., parts[0], parts[1]].flip(mirrored),
            "sharp": clip["sharp"][..., parts[0], parts[1]].flip(mirrored),
            "voxels": clip["voxels"][..., spikes[0], spikes[1]].flip(mirrored),
        }
        return {**cut, "voxels": self.stackable(cut["voxels"]), "target_time": clip["target_time"]}

    def stackable(self, voxels: torch.Tensor) -> torch.Tensor:
        """Counts brought to the plane that crops of the first sequence have."""
        assert self.crop is not None
        rows, columns = (max(1, round(self.crop * ratio)) for ratio in self.ratio())
        if voxels.shape[2:] == (rows, columns):
            return voxels
        return area_weights(rows, voxels.shape[2]) @ (
            voxels @ area_weights(columns, voxels.shape[3]).T
        )

    def ratio(self) -> tuple[float, float]:
        """Spike pixels per frame pixel of the first sequence, down and across."""
        if self._ratio is None:
            first = self.whole(0)
            size, plane = first["blurry"].shape[2:], first["voxels"].shape[2:]
            self._ratio = plane[0] / size[0], plane[1] / size[1]
        return self._ratio


def stacked(frames: list[np.ndarray]) -> torch.Tensor:
    """Frames (H, W, 3) -> (T, 3, H, W), uint8."""
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)


def training_sequences(
    data: Path, val: Path | None, layout: str | None = None
) -> tuple[list[RecordedSequence], list[RecordedSequence]]:
    """The sequences to train on and those to validate on.

    `layout` is that of `data`. Validated is on those of `val`, else on the validation part of
    `data`, else on every tenth.
    Raises `InputError` when a sequence is in both, or there are too few.
    """
    splits = find_sequences(data, layout)
    training = splits.get(TRAINING, [])
    validation = validation_sequences(val) if val is not None else splits.get(VALIDATION, [])
    if not validation:
        validation = training[::10]
        training = [sequence for number, sequence in enumerate(training) if number % 10]
    if not training:
        raise InputError(
            f"no sequence to train on is left in {data} - add sequences, "
            "or name others for validation with --val"
        )
    refuse_shared(training, validation)
    return training, validation


def validation_sequences(val: Path) -> list[RecordedSequence]:
    """The sequences of a folder to validate on: its validation part, or all of it."""
    splits = find_sequences(val)
    return splits.get(VALIDATION) or splits[TRAINING]


def refuse_shared(training: list[RecordedSequence], validation: list[RecordedSequence]) -> None:
    """Raise `InputError` when a sequence is both trained on and validated on."""
    seen = {mark: sequence.name for sequence in training for mark in sequence.marks()}
    for sequence in validation:
        for mark in sequence.marks() & seen.keys():
            raise InputError(
                f"the training sequence {seen[mark]} is validated on, too (as "
                f"{sequence.name}) - take it out of one of the two"
            )
