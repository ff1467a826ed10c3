"""The folder of a run: config.yaml, metrics.jsonl, the weights and the states."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from spikedeblur.errors import ConfigError, OutputError
from spikedeblur.io.atomic import atomic_path, make_folder
from spikedeblur.io.lock import exclusive
from spikedeblur.models.checkpoint import save_model
from spikedeblur.models.vrt_spike import VRTSpike
from spikedeblur.training.config import Config, config_to_yaml
from spikedeblur.training.events import Record
from spikedeblur.training.state import saved_states

# What a resumed run may change: none of it alters the steps that are already taken.
CHANGEABLE = {
    "TRAIN.STEPS",
    "TRAIN.SAVE_EVERY",
    "TRAIN.VAL_EVERY",
    "TRAIN.LOG_EVERY",
    "TRAIN.WORKERS",
    "LOG.TENSORBOARD",
}


class RunFolder:
    """Paths of a run, and its small text files. Nothing is created before `locked`."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.states = self.root / "state"
        self.config = self.root / "config.yaml"
        self.metrics = self.root / "metrics.jsonl"
        self.last = self.root / "last.safetensors"
        self.best = self.root / "best.safetensors"
        self.tensorboard = self.root / "tensorboard"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder and keep other runs out of it; `OutputError` when one is in it.

        A folder that was not there before goes again if a run fails before anything is saved.
        """
        existed = self.root.exists()
        make_folder(self.root)
        try:
            with exclusive(self.root / ".lock", f"the folder {self.root}"):
                yield
        except BaseException:
            if not existed and not self.holds_a_run:
                shutil.rmtree(self.root, ignore_errors=True)
            raise

    @property
    def holds_a_run(self) -> bool:
        """Return whether there is anything of a run that would be lost."""
        return bool(saved_states(self.states)) or self.metrics.exists() or self.best.exists()

    def refuse_started(self) -> None:
        """Raise `OutputError` when the folder holds a run that would be lost."""
        if self.holds_a_run:
            raise OutputError(
                f"the folder holds a training run ({self.root}) - "
                "give --resume to continue it, or another -o"
            )

    def prepare(self, config: Config) -> None:
        """Clear away what a kill left half written, and write the resolved configuration."""
        make_folder(self.states)
        for leftover in self.root.rglob(".*.part*"):  # of a process killed while it wrote
            leftover.unlink(missing_ok=True)
        write_text(self.config, config_to_yaml(config))

    def append(self, record: Record) -> None:
        """Add one line to metrics.jsonl."""
        try:
            with open(self.metrics, "a", encoding="utf-8") as file:
                file.write(json.dumps(record.as_json()) + "\n")
        except OSError as error:
            raise OutputError(
                f"cannot write {self.metrics} ({error.strerror}) - free space, then give --resume"
            ) from error

    def forget_after(self, step: int) -> None:
        """Drop the lines of metrics.jsonl beyond `step`, and one that a kill cut short."""
        if not self.metrics.exists():
            return
        lines = self.metrics.read_text(encoding="utf-8", errors="replace").splitlines()
        kept = [line for line in lines if step_of(line) <= step]
        write_text(self.metrics, "".join(line + "\n" for line in kept))


def write_weights(path: Path, model: VRTSpike) -> None:
    """Replace the weights file at `path`; raises `OutputError` when the disk refuses."""
    with atomic_path(path, overwrite=True) as temporary:
        try:
            save_model(temporary, model)
        except SafetensorError as error:
            raise OutputError(
                f"cannot write {path} ({error}) - free space, then give --resume"
            ) from error


def step_of(line: str) -> float:
    """Return the step of a line of metrics.jsonl, infinity for a damaged one."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def write_text(path: Path, text: str) -> None:
    """Replace the file at `path` by `text`, whole or not at all."""
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def refuse_other_config(saved: Config, config: Config) -> None:
    """Raise `ConfigError` naming the first key in which a resumed run would differ."""
    before, now = (flat(each.model_dump(mode="json")) for each in (saved, config))
    for key in dict.fromkeys([*now, *before]):
        if key not in CHANGEABLE and before.get(key) != now.get(key):
            raise ConfigError(
                f"the run was started with another {key} ({before.get(key)}, now {now.get(key)}) "
                "- resume with the run's own config.yaml, or start a run with --init"
            )


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested sections as {"SECTION.KEY": value}."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        leaves |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return leaves
