"""A run that was killed and resumed is the run that was never killed, bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from spikedeblur.machine import interruption
from spikedeblur.training.config import load_config
from spikedeblur.training.events import Event, Report, Saved, StepDone, Validated
from spikedeblur.training.run import run_training
from spikedeblur.training.state import saved_states
from tests.training.pictures import photo_folder
from tests.training.tiny_run import outcome, run

SCRIPT = Path(__file__).with_name("tiny_run.py")
ROOT = SCRIPT.parents[2]


class Killed(BaseException):
    """Stands for a kill within this process: nothing catches it."""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("uninterrupted")
    run(root)
    return outcome(root)


def same_moment(event: Event, moment: Event) -> bool:
    if isinstance(event, StepDone) and isinstance(moment, StepDone):
        return event.step == moment.step
    return event == moment


def killed_at(moment: Event) -> Report:
    def report(event: Event) -> None:
        if same_moment(event, moment):
            raise Killed

    return report


@pytest.mark.parametrize(
    "moment",
    [
        StepDone(2, 8, 0.0),  # when nothing but the start was saved
        StepDone(4, 8, 0.0),  # before its record and its validation
        Saved(6),
        StepDone(8, 8, 0.0),
    ],
    ids=str,
)
def test_a_killed_run_resumes_bit_for_bit(
    moment: Event, tmp_path: Path, uninterrupted: dict[str, str]
) -> None:
    with pytest.raises(Killed):
        run(tmp_path, report=killed_at(moment))
    run(tmp_path, resume=True)
    assert outcome(tmp_path) == uninterrupted


def test_worker_processes_do_not_change_the_run(
    tmp_path: Path, uninterrupted: dict[str, str]
) -> None:
    with pytest.raises(Killed):
        run(tmp_path, WORKERS=2, report=killed_at(StepDone(5, 8, 0.0)))
    run(tmp_path, resume=True, WORKERS=1)
    assert outcome(tmp_path) == uninterrupted


def test_accumulation_resumes_within_an_epoch(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"ACCUMULATION": 2, "BATCH_SIZE": 2, "STEPS": 4, "SAVE_EVERY": 1}
    run(tmp_path / "whole", **keys)
    with pytest.raises(Killed):
        run(tmp_path / "cut", report=killed_at(StepDone(3, 4, 0.0)), **keys)
    run(tmp_path / "cut", resume=True, **keys)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGTERM, StepDone(5, 8, 0.0)),
        (signal.SIGINT, StepDone(5, 8, 0.0)),
        (signal.SIGTERM, Validated(2, 3)),
    ],
    ids=str,
)
def test_a_signal_saves_first(
    number: signal.Signals, moment: Event, tmp_path: Path, uninterrupted: dict[str, str]
) -> None:
    saved: list[int] = []

    def report(event: Event) -> None:
        if isinstance(event, Saved):
            saved.append(event.step)
        elif same_moment(event, moment):
            signal.raise_signal(number)
            signal.raise_signal(number)  # as torchrun passes on what the terminal also sends

    def interrupt(_number: int, _frame: object) -> None:
        raise Killed

    before = signal.signal(number, interrupt)
    try:
        with pytest.raises(Killed):
            run(tmp_path, report=report)
    finally:
        signal.signal(number, before)
    assert saved[-1] == (5 if isinstance(moment, StepDone) else 4)
    run(tmp_path, resume=True)
    assert outcome(tmp_path) == uninterrupted


def test_a_second_signal_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "SAME_SIGNAL_S", 0.0)
    steps: list[int] = []

    def report(event: Event) -> None:
        if isinstance(event, StepDone):
            steps.append(event.step)
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, report=report)
    assert steps == [1]
    assert [path.name for path in saved_states(tmp_path / "state")] == ["step-000000000.pt"]


def kill_and_resume_until_done(root: Path, kills: int, seed: int) -> int:
    """Start the script, kill -9 it at a random moment, again and again, then let it end."""
    chance = random.Random(seed)
    happened = 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for attempt in range(kills + 1):
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(root)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        if attempt < kills:
            for _ in range(chance.randint(1, 14)):
                process.stdout.readline()
            time.sleep(chance.uniform(0, 0.03))  # anywhere within a step or a save
            process.kill()
        _, errors = process.communicate(timeout=120)
        happened += process.returncode == -signal.SIGKILL
        assert process.returncode in (0, -signal.SIGKILL), errors
    return happened


def test_kill_9_at_random_moments(tmp_path: Path, uninterrupted: dict[str, str]) -> None:
    assert kill_and_resume_until_done(tmp_path, kills=2, seed=1) >= 1
    assert outcome(tmp_path) == uninterrupted
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_kill_9_ten_times(seed: int, tmp_path: Path, uninterrupted: dict[str, str]) -> None:
    assert kill_and_resume_until_done(tmp_path, kills=3, seed=100 + seed) >= 1
    assert outcome(tmp_path) == uninterrupted


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(1)


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
def test_the_shipped_network_resumes_bit_for_bit(tmp_path: Path) -> None:
    config = load_config(
        "small",
        [
            "TRAIN.STEPS=5",
            "TRAIN.SAVE_EVERY=2",
            "TRAIN.VAL_EVERY=5",
            "TRAIN.VAL_CLIPS=1",
            "DATA.CROP_SIZE=48",
            "DATA.CLIP_LEN=3",
        ],
    )
    photos = photo_folder(tmp_path / "photos")

    def train(name: str, resume: bool = False, report: Report = lambda event: None) -> None:
        run_training(
            config,
            photos=photos,
            output=tmp_path / name,
            resume=resume,
            device="cpu",
            report=report,
        )

    train("whole")
    with pytest.raises(Killed):
        train("cut", report=killed_at(StepDone(3, 5, 0.0)))
    train("cut", resume=True)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")
