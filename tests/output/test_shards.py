"""Which segments a shard makes, and which shard a launcher has made of the process."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.errors import UsageError
from spikedeblur.output.shards import Shard, shard_of_environment


@given(st.integers(1, 40), st.integers(0, 200), st.integers(0, 20))
def test_every_segment_belongs_to_one_shard(count, expected, further):
    """Whether the length of the video is known, is estimated too low, or not at all."""
    for estimate in (expected, None):
        owners = Counter(
            number
            for index in range(count)
            for number in itertools.takewhile(
                lambda number: number < expected + further,
                Shard(index + 1, count).segments(estimate),
            )
        )
        assert owners == dict.fromkeys(range(expected + further), 1)


@pytest.mark.parametrize(
    "environment,shard,launcher",
    [
        ({}, "1/1", ""),
        ({"RANK": "2", "WORLD_SIZE": "4"}, "3/4", "torchrun"),
        ({"RANK": "0", "WORLD_SIZE": "1"}, "1/1", ""),
        ({"RANK": "x", "WORLD_SIZE": "4"}, "1/1", ""),
        (
            {
                "SLURM_ARRAY_TASK_ID": "7",
                "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_ARRAY_TASK_MIN": "5",
                "SLURM_ARRAY_TASK_STEP": "1",
            },
            "3/3",
            "Slurm",
        ),
        (
            {
                "SLURM_ARRAY_TASK_ID": "6",
                "SLURM_ARRAY_TASK_COUNT": "4",
                "SLURM_ARRAY_TASK_MIN": "0",
                "SLURM_ARRAY_TASK_STEP": "2",
            },
            "4/4",
            "Slurm",
        ),
        ({"SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_COUNT": "1"}, "1/1", ""),
    ],
)
def test_launchers_are_recognised(environment, shard, launcher):
    found, by = shard_of_environment(environment)
    assert (str(found), by) == (shard, launcher)


@pytest.mark.parametrize("text", ["0/2", "3/2", "half", "1/", "/2", "1/2/3", "-1/2", "²/3"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError):
        Shard.parse(text)


@given(st.integers(1, 40), st.integers(0, 200))
def test_shards_of_a_known_length_are_stretches_of_nearly_equal_length(count, expected):
    sizes = []
    for index in range(1, count + 1):
        numbers = list(
            itertools.takewhile(lambda n: n < expected, Shard(index, count).segments(expected))
        )
        assert numbers == list(range(sum(sizes), sum(sizes) + len(numbers)))
        sizes.append(len(numbers))
    assert sum(sizes) == expected and max(sizes) - min(sizes) <= 1


@given(st.integers(1, 999), st.integers(1, 999))
def test_what_is_written_is_read_again(index, count):
    if index <= count:
        assert Shard.parse(str(Shard(index, count))) == Shard(index, count)
    else:
        with pytest.raises(UsageError, match=f"{index}/{count}"):
            Shard.parse(f"{index}/{count}")
