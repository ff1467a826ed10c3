"""Training from Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from spikedeblur.api.calls import python_call
from spikedeblur.errors import CallError
from spikedeblur.machine.threads import use_threads
from spikedeblur.notebook import row_table
from spikedeblur.training.config import load_config
from spikedeblur.training.events import Event, Record, StepDone
from spikedeblur.training.run import run_training

__all__ = ["TrainedRun", "train"]


@dataclass(frozen=True)
class TrainedRun:
    """A run that has ended. best, last: weights for `deblur`. records: lines of metrics.jsonl."""

    output: Path
    records: list[dict[str, Any]] = field(default_factory=list)

    @property
    def best(self) -> Path:
        """The weights of the highest PSNR."""
        return self.output / "best.safetensors"

    @property
    def last(self) -> Path:
        """The weights after the last step."""
        return self.output / "last.safetensors"

    def _repr_html_(self) -> str:
        names = "step", "loss", "lr", "seconds", "psnr", "ssim"
        rows = [[record.get(name) for name in names] for record in self.records]
        return row_table(str(self.output), names, rows)


@python_call
def train(
    config: str | Path | None = None,
    *,
    photos: str | Path | None = None,
    data: str | Path | None = None,
    layout: str | None = None,
    val: str | Path | None = None,
    pool: str | Path | None = None,
    output: str | Path,
    resume: bool = False,
    init: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    report: Callable[[Record], None] | None = None,
) -> TrainedRun:
    """Train a network on photographs or recordings; weights, records and states are in `output`.

    config: a packaged name or a YAML file, by default `small`, or the run's own where it resumes.
    One of photos and data is needed. settings: SECTION.KEY to its value, such as
    {"TRAIN.STEPS": 1000}. progress: called with (steps done, all of them). report: called with each
    record. The others are those of the command. Raises `SpikedeblurError`.
    """
    if (photos is None) == (data is None):
        raise CallError("there is nothing to learn from - give one of photos and data")
    output = Path(output)
    kept = output / "config.yaml"
    overrides = [
        f"{key}={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"
        for key, value in (settings or {}).items()
    ]
    resolved = load_config(config or (kept if resume and kept.exists() else "small"), overrides)
    use_threads(threads)

    def tell(event: Event) -> None:
        if isinstance(event, StepDone) and progress is not None:
            progress(event.step, event.steps)
        elif isinstance(event, Record) and report is not None:
            report(event)

    run_training(
        resolved,
        photos=_path(photos),
        data=_path(data),
        layout=layout,
        val=_path(val),
        pool=_path(pool),
        output=output,
        resume=resume,
        init=_path(init),
        device=device,
        report=tell,
    )
    lines = (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return TrainedRun(output, [json.loads(line) for line in lines])


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
