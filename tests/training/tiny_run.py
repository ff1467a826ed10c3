"""A network of a few thousand weights and clips of noise: training in milliseconds a step."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from spikedeblur.training.config import Config, config_from_dict
from spikedeblur.training.events import Report
from spikedeblur.training.run import train_network
from spikedeblur.training.state import newest_state

SMALLEST: dict[str, Any] = {
    "DATA": {"K": 4, "CLIP_LEN": 2, "CROP_SIZE": 16},
    "MODEL": {
        "STEM": 2,
        "TARGET_TIME": True,
        "CHANNELS_PER_SCALE": [4, 4, 4, 4],
        "FUSE": {"HEADS": 2},
        "PRIOR": {"WINDOWS": [1, 2], "SMOOTHINGS": [0.0]},
        "VRT": {
            "EMBED_DIMS": [4] * 11,
            "DEPTHS": [1] * 11,
            "NUM_HEADS": [1] * 11,
            "WINDOW_SIZE": [2, 4, 4],
            "MUL_ATTN_RATIO": 0.0,
            "PA_FRAMES": 0,
            "BLOCKS": ["conv"] * 8,
            "ZERO_INIT": True,
        },
    },
    "TRAIN": {
        "STEPS": 8,
        "BATCH_SIZE": 1,
        "LR": 1e-3,
        "WARMUP_STEPS": 2,
        "SAVE_EVERY": 3,
        "VAL_EVERY": 4,
        "LOG_EVERY": 1,
        "VAL_CLIPS": 2,
        "WORKERS": 0,
    },
}


def tiny_config(*, dropout: float = 0.1, **train: Any) -> Config:
    """The configuration above with other TRAIN values; with dropout, so that randomness matters."""
    model = {**SMALLEST["MODEL"], "SPIKE_TSA": {"HEADS": 2, "DROPOUT": dropout}}
    return config_from_dict({**SMALLEST, "MODEL": model, "TRAIN": {**SMALLEST["TRAIN"], **train}})


class NoiseClips:
    """Clips of smooth noise; spikes show the sharp frame, the blurry one is its horizontal mean.

    A function of (seed, epoch, index), like every source of clips.
    """

    def __init__(self, seed: int, count: int = 5, size: int = 16) -> None:
        self.seed, self.count, self.size, self.epoch = seed, count, size, 0

    def __len__(self) -> int:
        return self.count

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        noise = np.random.default_rng([self.seed, self.epoch, index])
        sharp = torch.from_numpy(noise.random((2, 3, self.size, self.size), dtype=np.float32))
        sharp = (torch.nn.functional.avg_pool2d(sharp, 3, 1, 1) * 2 - 0.5).clamp(0, 1)
        light = sharp.mean(1, keepdim=True) ** 2.2
        return {
            "sharp": sharp,
            "blurry": torch.nn.functional.avg_pool2d(sharp, (1, 7), 1, (0, 3)),
            "voxels": (light * 8).round().expand(2, 4, self.size, self.size).contiguous(),
            "target_time": torch.tensor(0.0),
        }


def run(
    root: Path,
    *,
    resume: bool = False,
    report: Report = lambda event: None,
    clips: Any = None,
    config: Config | None = None,
    **train_keys: Any,
) -> None:
    """Train the network above in `root`, on the CPU."""
    train_network(
        config or tiny_config(**train_keys),
        lambda: (clips or NoiseClips(1), NoiseClips(2, count=3)),
        output=root,
        resume=resume,
        device="cpu",
        report=report,
    )


def outcome(root: Path) -> dict[str, str]:
    """A digest of everything a run leaves, but for the time it took."""
    state = newest_state(root / "state")
    assert state is not None
    lines = [json.loads(line) for line in (root / "metrics.jsonl").read_text().splitlines()]
    losses = [{key: line[key] for key in line if key not in ("seconds", "wait")} for line in lines]
    return {
        "learner": digest(state["learner"]),
        "random": digest(state["random"]),
        "step": str(state["step"]),
        "metrics": json.dumps(losses),
        "last": digest(load_file(root / "last.safetensors")),
        "best": digest(load_file(root / "best.safetensors")),
    }


def digest(thing: Any) -> str:
    """SHA-256 over nested dictionaries, sequences, tensors and numbers."""

    def flat(thing: Any) -> Iterator[bytes]:
        if isinstance(thing, Tensor):
            yield str((thing.dtype, tuple(thing.shape))).encode() + thing.numpy().tobytes()
        elif isinstance(thing, dict):
            for key in sorted(thing, key=str):
                yield str(key).encode()
                yield from flat(thing[key])
        elif isinstance(thing, list | tuple):
            for part in thing:
                yield from flat(part)
        else:
            yield repr(thing).encode()

    total = hashlib.sha256()
    for part in flat(thing):
        total.update(part + b";")
    return total.hexdigest()


def main() -> None:
    """Run as a process of its own: tiny_run.py ROOT [KEY=VALUE...]; resumes what it finds."""
    root, *settings = sys.argv[1:]
    keys = {key: json.loads(value) for key, value in (item.split("=") for item in settings)}
    torch.set_num_threads(1)
    run(Path(root), resume=True, report=lambda event: print(event, flush=True), **keys)


if __name__ == "__main__":
    main()
