"""One of several processes, on one machine or many, that share the work on a video."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spikedeblur.errors import UsageError

_TEXT = re.compile(r"([0-9]{1,9})/([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """Number `index`, from 1, of `count` shards; the only one, 1/1, does all the work.

    Raises `UsageError` unless 1 <= index <= count.
    """

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(f"there is no such shard ({self}) - give 1/N to N/N")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "I/N". Raises `UsageError`."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise UsageError(f"not a shard ('{text}') - give I/N, such as 2/4")
        return cls(int(found[1]), int(found[2]))

    def segments(self, expected: int | None) -> Iterable[int]:
        """The numbers of this shard's segments, of a video that is expected to have `expected`.

        Each shard gets a stretch of the video, so that few frames are needed by two; the last one
        goes on to the video's end, wherever that is. Every Nth segment where nothing is expected.
        """
        if expected is None:
            return itertools.count(self.index - 1, self.count)
        start, stop = (expected * number // self.count for number in (self.index - 1, self.index))
        return range(start, stop) if self.index < self.count else itertools.count(start)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def shard_of_environment(environment: Mapping[str, str]) -> tuple[Shard, str]:
    """The shard that a launcher has made of this process, and the launcher; 1/1 and "" if none.

    torchrun numbers its processes by RANK and WORLD_SIZE; a Slurm array its tasks from
    SLURM_ARRAY_TASK_MIN on.
    """
    for launcher, place, first, step, size in (
        ("torchrun", "RANK", "", "", "WORLD_SIZE"),
        (
            "Slurm",
            "SLURM_ARRAY_TASK_ID",
            "SLURM_ARRAY_TASK_MIN",
            "SLURM_ARRAY_TASK_STEP",
            "SLURM_ARRAY_TASK_COUNT",
        ),
    ):
        try:
            count = int(environment[size])
            index = (int(environment[place]) - int(environment.get(first, "0"))) // int(
                environment.get(step, "1")
            )
        except (KeyError, ValueError, ZeroDivisionError):
            continue
        if 0 <= index < count and count > 1:
            return Shard(index + 1, count), launcher
    return Shard(), ""
