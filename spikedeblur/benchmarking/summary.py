"""Everything a benchmark has found, with what has to be known to judge it or to do it again."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import spikedeblur
from spikedeblur.benchmarking.growth import growth
from spikedeblur.benchmarking.made_up import NOISE_SEED
from spikedeblur.benchmarking.results import MethodResult, means
from spikedeblur.benchmarking.runs import Plan
from spikedeblur.benchmarking.setups import Setup
from spikedeblur.machine.device import choose_device
from spikedeblur.sample import SAMPLE_SEED
from spikedeblur.vocabulary import NETWORK


def summary(
    results: Sequence[MethodResult], setups: Sequence[Setup], plan: Plan, isolated: bool
) -> dict[str, Any]:
    """The object of `benchmark --json`: machine, settings, cases (a row each), means.

    Of made-up frames growth instead of means, which would be over sizes: a row for each setup.
    """
    devices = [setup.device for setup in setups if setup.kind == NETWORK]
    device = choose_device(devices[0]) if devices else "cpu"
    made_up = any(result.conv3d_gflops for result in results)
    return {
        "machine": machine(device),
        "settings": _settings(setups, plan, isolated),
        "cases": [result.as_json() for result in results],
        "means": [] if made_up else means(results),
        **({"growth": growth(results, len(setups))} if made_up else {}),
    }


def _settings(setups: Sequence[Setup], plan: Plan, isolated: bool) -> dict[str, Any]:
    """weights: the file and the SHA-256 of each. seeds: of the sample, and of made-up frames."""
    files = {setup.method: setup.weights for setup in setups if setup.weights is not None}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "methods": list(dict.fromkeys(setup.method for setup in setups)),
        "weights": {
            method: {"file": file, "sha256": _digest(file)} for method, file in files.items()
        },
        "warm_up": plan.warm_up,
        "repeats": plan.repeats,
        "isolated": isolated,
        "seeds": {"sample": SAMPLE_SEED, "made_up": NOISE_SEED},
    }


def _digest(file: str) -> str:
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def machine(device: torch.device | str = "cpu") -> dict[str, Any]:
    """Describe the machine that figures were measured on, and the versions."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "gpu": _gpu(device),
        "python": platform.python_version(),
        "spikedeblur": spikedeblur.__version__,
        "torch": torch.__version__,
        **{name: version(name) for name in ("numpy", "av", "torchmetrics")},
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError):
        return None


def _gpu(device: torch.device | str) -> str | None:
    return torch.cuda.get_device_name(device) if str(device).startswith("cuda") else None
