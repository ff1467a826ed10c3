"""The test parts of published sets, as their authors test on them: all frames, whole, in colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.recording.voxel import voxelize_ticks
from spikedeblur.recording.voxel_exposures import VoxelExposures
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.training.data.layouts import LAYOUT_READERS, VALIDATION
from spikedeblur.training.data.sequences import (
    FrameFiles,
    PictureSequence,
    existing,
    open_stream,
    read_picture,
)
from spikedeblur.vocabulary import PUBLISHED_LAYOUTS

INTERVAL = Fraction(1, 25)  # of frames that are pictures; no figure depends on it


@dataclass(frozen=True)
class SetSequence:
    """A sequence of a set's test part.

    protocol: the set's layout. group: the same with the ticks of an exposure where a set has
    several lengths of blur.
    """

    sequence: PictureSequence
    group: str
    protocol: str
    folder: Path

    @property
    def name(self) -> str:
        """Its name within the set."""
        return self.sequence.name

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames."""
        height, width = read_picture(self.sequence.frames[0].blurry).shape[:2]
        return width, height

    @property
    def has_truth(self) -> bool:
        """Return that there are sharp frames."""
        return True

    @property
    def clip(self) -> None:
        """None: frames are timed alone."""

    @property
    def runs(self) -> list[Sequence[FrameFiles]]:
        """The frames in runs whose exposures do not overlap, as neighbours have to be."""
        frames, step = self.sequence.frames, self.sequence.step
        return [frames[first::step] for first in range(step)]

    def frames(self, deblurrer: Deblurrer | None) -> Iterator[VideoFrame]:
        """Yield the frames as `deblurrer` restores them, or the blurry ones without one."""
        for files in self.runs:
            blurry = _shown(each.blurry for each in files)
            if deblurrer is None:
                yield from blurry
            else:
                grids = _Counts(files, self.sequence.sidecar, deblurrer.bins)
                yield from deblurrer.frames(blurry, VoxelExposures(grids, name=self.name))

    def truth(self) -> Iterator[VideoFrame]:
        """The sharp frames, in the same order."""
        for files in self.runs:
            yield from _shown(each.sharp for each in files)


def published_sequences(root: Path) -> list[SetSequence]:
    """The sequences of a published set to test on; none where `root` is no such set.

    Raises `InputError` for a set without its test part, and for one that lacks files.
    """
    for layout in PUBLISHED_LAYOUTS:
        splits = LAYOUT_READERS[layout](root)
        sequences = [each for each in splits.get(VALIDATION, ()) if len(each)]
        if sequences:
            return [_part(each, layout, root) for each in sequences]
        if splits:
            raise InputError(f"{root} lacks the test part of {layout} - add it, or name another")
    return []


def check_methods(kinds: Sequence[str], jobs: Sequence[object]) -> None:
    """Refuse methods that want the spikes one by one: these sets are read as counts."""
    if "tfi" in kinds and any(isinstance(job, SetSequence) for job in jobs):
        raise UsageError(
            "tfi takes the spikes of a stream, published sets are read as counts (tfi in "
            "--methods) - leave it out"
        )


def _part(sequence: object, layout: str, root: Path) -> SetSequence:
    assert isinstance(sequence, PictureSequence)
    first = sequence.frames[0]
    several = layout == "spk-x4k"
    group = f"{layout} {first.stop - first.start}" if several else layout
    return SetSequence(sequence, group, layout, root.resolve())


def _shown(pictures: Iterator[Path]) -> Iterator[VideoFrame]:
    for number, path in enumerate(pictures):
        yield VideoFrame(number, number, INTERVAL, 1, INTERVAL, read_picture(path))


@dataclass(frozen=True)
class _Counts:
    """Voxel grids of frames, read when they are asked for."""

    files: Sequence[FrameFiles]
    sidecar: RecordingSettings
    bins: int

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int, /) -> np.ndarray:
        each = self.files[index]
        with open_stream(existing(each.spikes), self.sidecar) as stream:
            return voxelize_ticks(stream, self.bins, each.start, each.stop)
