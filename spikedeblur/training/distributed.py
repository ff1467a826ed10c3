"""Several processes, started by torchrun: one world on gloo (CPU) or NCCL (GPUs).

With one process the same calls do nothing, so that the loop is written once.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from spikedeblur.errors import SpikedeblurError
from spikedeblur.machine.device import choose_device

# How long processes wait for each other. One that dies is noticed at once; this is for machines
# that vanish, and above what a process may validate or compile longer than another.
TIMEOUT = timedelta(minutes=15)


@dataclass(frozen=True)
class World:
    """This process's place among all of the job."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Return whether this process writes the files and reports."""
        return self.rank == 0

    def total(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes (float64)."""
        if self.size == 1:
            return list(values)
        # float64 does not exist on MPS, where there is one process only.
        sums = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(sums)
        return sums.tolist()

    def highest(self, value: int) -> int:
        """Return the highest of the values that the processes give."""
        if self.size == 1:
            return value
        highest = torch.tensor(value, device=self.device)
        dist.all_reduce(highest, dist.ReduceOp.MAX)
        return int(highest)

    def gather(self, thing: Any) -> list[Any]:
        """Return `thing` of every process, in the order of ranks."""
        if self.size == 1:
            return [thing]
        things: list[Any] = [None] * self.size
        dist.all_gather_object(things, thing)
        return things

    def wait_for_all(self) -> None:
        """Return once every process has come here."""
        self.total(0.0)

    def wrap(self, model: nn.Module, some_unused: bool) -> nn.Module:
        """Return `model` with its gradients averaged over all processes.

        `some_unused` says that a forward pass may leave weights unused, which takes longer.
        """
        if self.size == 1:
            return model
        # Said of 1x1 convolutions, once a process; they are as they should be.
        warnings.filterwarnings("ignore", ".*Grad strides do not match")
        device_ids = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(
            model, device_ids=device_ids, find_unused_parameters=some_unused
        )


@contextmanager
def joined_world(device: str) -> Iterator[World]:
    """Join the processes that torchrun started, or be alone; leaves them at the end.

    Raises `SpikedeblurError` when another process is lost on the way.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(choose_device(device))
        return
    place = choose_device(device)
    if place.type == "cuda":
        if place.index is None:  # a GPU for each process of this machine
            place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(place)
    backend = "nccl" if place.type == "cuda" else "gloo"
    with lost_process_named():
        dist.init_process_group(backend, timeout=TIMEOUT)
        try:
            yield World(place, dist.get_rank(), size)
        finally:
            dist.destroy_process_group()


@contextmanager
def lost_process_named() -> Iterator[None]:
    """Turn what gloo and NCCL raise for a lost peer into one sentence."""
    try:
        yield
    except RuntimeError as error:
        lost = isinstance(error, dist.DistError) or "gloo" in str(error)
        if not lost:
            raise
        raise SpikedeblurError(
            "another process of this training was lost "
            f"({str(error).splitlines()[0][:120]}) - "
            "start the job again with --resume"
        ) from error
