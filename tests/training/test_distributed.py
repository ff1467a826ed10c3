"""Several processes on gloo train as one, resume, and name what went wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from spikedeblur.errors import InputError
from spikedeblur.training.data.sampler import BatchPlan
from spikedeblur.training.state import newest_state
from tests.training.tiny_run import outcome, run

SCRIPT = Path(__file__).with_name("tiny_run.py")
ROOT = SCRIPT.parents[2]
PLAIN = ("dropout=0", "STEPS=4", "SAVE_EVERY=2", "VAL_EVERY=4")


def two_processes(root: Path, *settings: str) -> subprocess.Popen[str]:
    """Start the script by torchrun on two processes, in a process group of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            "2",
            "--master-addr",
            "127.0.0.1",
            "--master-port",
            str(port),
            str(SCRIPT),
            str(root),
            *settings,
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(job: subprocess.Popen[str], timeout_s: float = 500) -> tuple[int, str]:
    """Wait for a job; returns its status and what it said."""
    try:
        output, errors = job.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(job.pid, signal.SIGKILL)
        raise
    return job.returncode, output + errors


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process with twice the batch leaves."""
    root = tmp_path_factory.mktemp("one")
    run(root, dropout=0, STEPS=4, SAVE_EVERY=2, VAL_EVERY=4, BATCH_SIZE=2)
    return root


@pytest.mark.parametrize("shared_out", [False, True], ids=["DDP", "FSDP"])
def test_two_processes_train_as_one_with_twice_the_batch(
    shared_out: bool, one: Path, tmp_path: Path
) -> None:
    status, said = finish(two_processes(tmp_path, *PLAIN, *(["FSDP=true"] if shared_out else [])))
    assert status == 0, said
    # Adam divides by the gradient's size, so rounding shows in weights whose gradient is nothing;
    # its running mean of the gradient does not hide nor enlarge a difference.
    for two, alone in zip(gradient_means(tmp_path), gradient_means(one), strict=True):
        torch.testing.assert_close(two, alone, rtol=1e-3, atol=1e-6)
    assert column(tmp_path, "loss") == pytest.approx(column(one, "loss"))
    # Three validation clips over two processes: none twice, none left out.
    for name in ("psnr", "ssim", "blurry_psnr"):
        assert column(tmp_path, name) == pytest.approx(column(one, name))
    # Whole weights in the file, whichever way they were kept.
    written, expected = (
        load_file(tmp_path / "last.safetensors"),
        load_file(one / "last.safetensors"),
    )
    for name, weight in expected.items():
        torch.testing.assert_close(written[name], weight, rtol=1e-3, atol=1e-3)
    with pytest.raises(InputError, match=r"another number of processes \(2, now 1\)"):
        run(tmp_path, resume=True, dropout=0, STEPS=4, SAVE_EVERY=2, VAL_EVERY=4, FSDP=shared_out)


def gradient_means(root: Path) -> list[Tensor]:
    state = newest_state(root / "state")
    assert state is not None
    weights = state["learner"]["optimizer"]["state"]
    return [weights[index]["exp_avg"] for index in sorted(weights)]


def column(root: Path, name: str) -> list[float]:
    lines = [json.loads(line) for line in (root / "metrics.jsonl").read_text().splitlines()]
    return [line[name] for line in lines if name in line]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [(), ("FSDP=true", "ACCUMULATION=2")], ids=["DDP", "FSDP"])
def test_a_job_that_lost_a_process_resumes_bit_for_bit(
    settings: tuple[str, ...], tmp_path: Path
) -> None:
    assert finish(two_processes(tmp_path / "whole", *settings))[0] == 0
    job = two_processes(tmp_path / "cut", *settings)
    assert job.stdout is not None
    for line in job.stdout:
        if line.startswith("StepDone(step=6"):
            break
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    assert finish(job)[0] != 0
    status, said = finish(two_processes(tmp_path / "cut", *settings))
    assert status == 0, said
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
@pytest.mark.parametrize("accumulation", [1, 3])
def test_processes_share_each_step_without_gap_or_repeat(
    world_size: int, accumulation: int
) -> None:
    plans = [BatchPlan(2, accumulation, rank, world_size) for rank in range(world_size)]
    seen = [
        position
        for step in range(4)
        for part in range(accumulation)
        for plan in plans
        for position in plan.positions(step, part)
    ]
    assert seen == list(range(4 * accumulation * world_size * 2))
