"""States come back as they were written, also the random numbers that follow them."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from spikedeblur.errors import InputError, OutputError
from spikedeblur.training.state import (
    newest_state,
    random_state,
    read_state,
    saved_states,
    seed_everything,
    set_random_state,
    write_state,
)

CPU = torch.device("cpu")


def draw() -> tuple[float, ...]:
    return (
        float(torch.rand(())),
        float(torch.randn(())),
        random.random(),
        random.gauss(0, 1),
        float(np.random.rand()),
        float(np.random.standard_normal()),
    )


def test_random_numbers_go_on_where_they_were_also_through_a_file(tmp_path: Path) -> None:
    seed_everything(5)
    draw()  # leaves half a pair of normal numbers in python's and numpy's generators
    write_state(tmp_path, 1, {"random": random_state(CPU)})
    expected = [draw() for _ in range(3)]
    seed_everything(6)
    set_random_state(read_state(saved_states(tmp_path)[0])["random"], CPU)
    assert [draw() for _ in range(3)] == expected


def test_ranks_and_seeds_draw_differently() -> None:
    drawn = []
    for seed, rank in ((0, 0), (0, 1), (1, 0)):
        seed_everything(seed, rank)
        drawn.append(draw())
    assert len(set(drawn)) == 3


def test_the_last_two_are_kept_and_the_newest_is_read(tmp_path: Path) -> None:
    for step in (0, 9, 10, 100):
        write_state(tmp_path, step, {"step": step})
    assert [path.name for path in saved_states(tmp_path)] == [
        "step-000000100.pt",
        "step-000000010.pt",
    ]
    state = newest_state(tmp_path)
    assert state is not None and state["step"] == 100


def test_no_state_is_none(tmp_path: Path) -> None:
    assert newest_state(tmp_path) is None
    assert newest_state(tmp_path / "missing") is None


def test_every_single_flipped_byte_is_noticed(tmp_path: Path) -> None:
    write_state(tmp_path, 1, {"numbers": torch.arange(20)})
    path = saved_states(tmp_path)[0]
    whole = path.read_bytes()
    for place in range(0, len(whole), 37):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(InputError, match="damaged"):
            read_state(path)


def test_a_state_that_cannot_be_written_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(tmp_path, 1, {"step": 1})

    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_state(tmp_path, 2, {"step": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.pt"]


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    write_state(tmp_path, 1, {"path": Path("x")})
    with pytest.raises(InputError, match="foreign objects"):
        read_state(saved_states(tmp_path)[0])
