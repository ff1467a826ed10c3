"""What goes wrong in a run is said in one sentence, and nothing already saved is lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from spikedeblur.errors import ConfigError, InputError, OutputError, SpikedeblurError, UsageError
from spikedeblur.training.config import config_from_dict
from spikedeblur.training.events import Event, StepDone
from spikedeblur.training.state import newest_state, read_state, saved_states, write_state
from tests.training.tiny_run import NoiseClips, outcome, run, tiny_config


class BrokenClips(NoiseClips):
    """Clips of which the one at `broken` in the run's order is not finite, or missing."""

    def __init__(self, broken: int, missing: bool = False) -> None:
        super().__init__(1)
        self.broken, self.missing, self.made = broken, missing, 0

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        clip = super().__getitem__(index)
        self.made += 1
        if self.made == self.broken and self.missing:
            raise InputError("a frame is missing (blur/0004.png) - copy the sequence again")
        if self.made == self.broken:
            clip["sharp"] = clip["sharp"] * float("nan")
        return clip


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("uninterrupted")
    run(root)
    return outcome(root)


def test_a_loss_that_is_not_finite_ends_the_run_before_it_moves_a_weight(tmp_path: Path) -> None:
    with pytest.raises(SpikedeblurError, match=r"not finite at step 5 .*state of step 3 is kept"):
        run(tmp_path, clips=BrokenClips(5))
    state = newest_state(tmp_path / "state")
    assert state is not None and state["step"] == 3
    assert all(bool(torch.isfinite(weight).all()) for weight in state["learner"]["model"].values())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_file_is_named_and_what_was_learnt_is_kept(
    workers: int, tmp_path: Path, uninterrupted: dict[str, str]
) -> None:
    with pytest.raises(InputError, match=r"^a frame is missing \(blur/0004.png\)"):
        run(tmp_path, clips=BrokenClips(5, missing=True), WORKERS=workers)
    assert saved_states(tmp_path / "state")[0].name == "step-000000004.pt"
    run(tmp_path, resume=True)
    assert outcome(tmp_path) == uninterrupted


def test_a_data_process_that_dies_is_named(tmp_path: Path) -> None:
    class DyingClips(NoiseClips):
        def __getitem__(self, index: int) -> dict[str, Tensor]:
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

    with pytest.raises(SpikedeblurError, match=r"data worker process died .*TRAIN.WORKERS=0"):
        run(tmp_path, clips=DyingClips(1), WORKERS=1)


@contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """Make the writing of more than `size` bytes to any file fail, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("room", [1000, 300_000], ids=["none for a line", "none for a state"])
def test_a_full_disk_leaves_the_states_intact_and_the_run_goes_on_later(
    room: int, tmp_path: Path, uninterrupted: dict[str, str]
) -> None:
    full = disk_with_room_for(room)

    def report(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 5:
            full.__enter__()

    try:
        with pytest.raises(OutputError, match=r"cannot write .*"):
            run(tmp_path, report=report, LOG_EVERY=1)
    finally:
        full.__exit__(None, None, None)
    assert [read_state(path)["step"] for path in saved_states(tmp_path / "state")] == [3, 0]
    assert not list(tmp_path.rglob(".*"))
    run(tmp_path, resume=True)
    assert outcome(tmp_path) == uninterrupted


def test_a_damaged_state_is_passed_over_with_a_warning(
    tmp_path: Path, uninterrupted: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path, STEPS=8)
    newest, before = saved_states(tmp_path / "state")
    flip_bit(newest)
    run(tmp_path, resume=True)
    assert f"damaged ({newest})" in caplog.text
    assert outcome(tmp_path) == uninterrupted
    for path in (newest, before):
        flip_bit(path)
    with pytest.raises(InputError, match=r"every training state .* is damaged"):
        run(tmp_path, resume=True)


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("length", [0, 10, 63, 64, 200])
def test_a_cut_state_is_damaged(length: int, tmp_path: Path) -> None:
    write_state(tmp_path, 1, {"numbers": torch.arange(1000)})
    path = saved_states(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match="damaged"):
        read_state(path)


def test_another_configuration_is_refused_by_its_first_key(tmp_path: Path) -> None:
    run(tmp_path, STEPS=3)
    tree = tiny_config(STEPS=3).model_dump(mode="json")
    tree["MODEL"]["SPIKE_TSA"]["HEADS"] = 1
    with pytest.raises(ConfigError, match=r"another MODEL.SPIKE_TSA.HEADS \(2, now 1\)"):
        run(tmp_path, resume=True, config=config_from_dict(tree))
    with pytest.raises(ConfigError, match=r"another TRAIN.LR \(0.001, now 0.01\)"):
        run(tmp_path, resume=True, STEPS=3, LR=0.01)


def test_another_configuration_is_refused_before_the_data_is_read(tmp_path: Path) -> None:
    class Unreadable(NoiseClips):
        def __len__(self) -> int:
            raise AssertionError

    run(tmp_path, STEPS=1)
    with pytest.raises(ConfigError, match=r"another TRAIN\.LR"):
        run(tmp_path, resume=True, clips=Unreadable(1), STEPS=1, LR=0.01)


def test_more_steps_may_be_asked_for(tmp_path: Path) -> None:
    run(tmp_path, STEPS=3)
    run(tmp_path, resume=True, STEPS=5)
    assert outcome(tmp_path)["step"] == "5"


def test_a_folder_with_a_run_is_not_trained_over(tmp_path: Path) -> None:
    run(tmp_path, STEPS=2)
    before = outcome(tmp_path)
    with pytest.raises(OutputError, match="give --resume"):
        run(tmp_path, STEPS=2)
    assert outcome(tmp_path) == before


HOLD = """
import sys
from pathlib import Path
from spikedeblur.io.lock import exclusive
with exclusive(Path(sys.argv[1]), "it"):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_in_use_is_refused_and_its_user_named(resume: bool, tmp_path: Path) -> None:
    root = tmp_path / "run"
    root.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root / ".lock")],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(OutputError, match=rf"folder {root} is in use .*pid {other.pid} on"):
            run(root, resume=resume)
        assert [path.name for path in root.iterdir()] == [".lock"]
        other.communicate()
    run(root, STEPS=1)


def test_resuming_nothing_starts_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, uninterrupted: dict[str, str]
) -> None:
    run(tmp_path, resume=True)
    assert "no state to resume" in caplog.text
    assert outcome(tmp_path) == uninterrupted


def test_weights_are_not_shared_out_in_fp16(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"TRAIN.FSDP .* train in bf16"):
        run(tmp_path, FSDP=True, PRECISION="fp16")


def test_one_process_shares_nothing_out_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path, FSDP=True, STEPS=1)
    assert "no effect on one process" in caplog.text
