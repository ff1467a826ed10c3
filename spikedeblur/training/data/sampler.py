"""Clips of each step: arithmetic on one running number, so resuming needs no state.

Position p, counted over the whole run and over all processes, is clip p mod N of epoch p div N,
in that epoch's order. A step takes the next positions; rank r takes its share of each batch.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from spikedeblur.errors import SpikedeblurError

CLIP_KEYS = ("blurry", "sharp", "voxels", "target_time", "pictures", "maps", "rates")
Batch = dict[str, Tensor]


class ClipSource(Protocol):
    """Clips as a function of (seed, epoch, index): dictionaries with the entries of CLIP_KEYS."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...

    def set_epoch(self, epoch: int) -> None:
        """Have the clips of another epoch."""
        ...


@dataclass(frozen=True)
class BatchPlan:
    """The positions that each batch of one process holds."""

    batch_size: int
    accumulation: int = 1
    rank: int = 0
    world_size: int = 1

    def positions(self, step: int, part: int = 0) -> range:
        """Return the positions of the `part`-th accumulated batch of `step` (both from 0)."""
        everybody = self.batch_size * self.world_size
        start = (step * self.accumulation + part) * everybody + self.rank * self.batch_size
        return range(start, start + self.batch_size)


@dataclass(frozen=True)
class PlannedBatches:
    """The batches of the steps [first, last), as DataLoader wants its batch sampler."""

    plan: BatchPlan
    first: int
    last: int

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first, self.last):
            for part in range(self.plan.accumulation):
                yield list(self.plan.positions(step, part))

    def __len__(self) -> int:
        return (self.last - self.first) * self.plan.accumulation


class EndlessClips(Dataset[Any]):
    """Clips by position; every epoch goes through the source in its own order.

    The epoch is set at each clip, here and not once in the parent process, because a worker
    process has its own copy of the source and one batch may straddle two epochs.
    """

    def __init__(self, source: ClipSource, seed: int) -> None:
        self.source = source
        self.seed = seed
        self._order: tuple[int, np.ndarray] | None = None

    def __getitem__(self, position: int) -> dict[str, Any] | SpikedeblurError:
        epoch, place = divmod(position, len(self.source))
        self.source.set_epoch(epoch)
        return clip_or_error(self.source, int(self.order(epoch)[place]))

    def order(self, epoch: int) -> np.ndarray:
        """Return the permutation of the source's clips for `epoch`."""
        if self._order is None or self._order[0] != epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._order = epoch, generator.permutation(len(self.source))
        return self._order[1]


class FixedClips(Dataset[Any]):
    """Clips by index, the same every time: those of validation."""

    def __init__(self, source: ClipSource) -> None:
        self.source = source

    def __getitem__(self, index: int) -> dict[str, Any] | SpikedeblurError:
        return clip_or_error(self.source, index)


def clip_or_error(source: ClipSource, index: int) -> dict[str, Any] | SpikedeblurError:
    """Return a clip, or why there is none: DataLoader would wrap a raised one into a traceback."""
    try:
        return source[index]
    except SpikedeblurError as error:
        return error


def collate(clips: Sequence[dict[str, Any] | SpikedeblurError]) -> Batch | SpikedeblurError:
    """Stack clips to a batch; a clip that could not be made takes the batch's place."""
    for clip in clips:
        if isinstance(clip, SpikedeblurError):
            return clip
    return default_collate(
        [
            {key: clip[key] for key in CLIP_KEYS if key in clip and clip[key] is not None}
            for clip in clips
            if not isinstance(clip, SpikedeblurError)
        ]
    )


def ignore_signals(_worker: int) -> None:
    """Let worker processes outlive Ctrl-C and SIGTERM: the parent still saves, then ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def clip_loader(
    clips: Dataset[Any],
    batches: PlannedBatches | list[list[int]],
    workers: int,
    pin_memory: bool = False,
) -> DataLoader[Any]:
    """Return a loader of `batches` in order, made ahead by `workers` processes (0: on demand)."""
    return DataLoader(
        clips,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=ignore_signals if workers else None,
        pin_memory=pin_memory,
        # Its own generator: DataLoader would otherwise draw from the run's random numbers.
        generator=torch.Generator(),
    )


def batches_of(loader: DataLoader[Any]) -> Iterator[Batch]:
    """Yield the loader's batches; raises what a clip's making raised, and names a dead worker."""
    try:
        for batch in loader:
            if isinstance(batch, SpikedeblurError):
                raise batch
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise SpikedeblurError(
            f"a data worker process died ({str(error).splitlines()[0]}) - "
            "free memory or /dev/shm, or set TRAIN.WORKERS=0"
        ) from error
