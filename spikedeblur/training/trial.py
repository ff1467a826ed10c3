"""The cost of a training run, from a few steps that are taken on trial."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from spikedeblur.machine.memory import peak_rss_mb
from spikedeblur.models.build import build_model
from spikedeblur.training.config import Config
from spikedeblur.training.events import Event, StepDone
from spikedeblur.training.run import run_training
from spikedeblur.training.run_folder import RunFolder

TRIAL_STEPS = 4  # steps, of which the first is slower than all others
WEIGHT_COPIES = (
    5  # of the weights: best, last, and in the state the model, its average and two moments
)


@dataclass(frozen=True)
class TrainingTrial:
    """The cost of a run: `steps` steps of `step_s` seconds, beside what validation takes.

    clips, frames, side: of a batch. parameters: of the model. peak_mb: of memory, in 10^6 bytes.
    """

    steps: int
    step_s: float
    clips: int
    frames: int
    side: int
    parameters: int
    threads: int
    peak_mb: float

    def lines(self) -> Iterator[str]:
        """Yield the report, a line for each thing."""
        seconds = self.steps * self.step_s
        yield (
            f"steps    {self.steps} of {self.clips} clips, {self.frames} frames of "
            f"{self.side}x{self.side} each"
        )
        yield f"model    {self.parameters / 1e6:.3g} million parameters, {self.threads} threads"
        yield (
            f"time     {self.step_s:.3g} s a step, about {seconds / 3600:.3g} hours in all, "
            "validation aside"
        )
        yield f"memory   up to about {self.peak_mb:.3g} MB"
        written = WEIGHT_COPIES * 4 * self.parameters / 1e6
        yield f"output   about {written:.3g} MB of weights and state"


class _EnoughSteps(Exception):
    """End of a trial."""


def try_steps(config: Config, *, output: Path, resume: bool, **sources: Any) -> TrainingTrial:
    """Take a few steps as `run_training` would, with its arguments; nothing of them is kept.

    Raises what it would, also for a folder `output` that holds a run unless `resume` is set.
    """
    if not resume:
        RunFolder(output).refuse_started()
    times: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, StepDone):
            times.append(time.perf_counter())
            if len(times) == min(TRIAL_STEPS, config.TRAIN.STEPS):
                raise _EnoughSteps

    began = time.perf_counter()
    with TemporaryDirectory() as folder, suppress(_EnoughSteps):
        run_training(config, output=Path(folder) / "run", report=note, **sources)
    steps = [late - early for early, late in pairwise(times)]
    parameters = sum(each.numel() for each in build_model(config.network).parameters())
    return TrainingTrial(
        config.TRAIN.STEPS,
        median(steps) if steps else times[-1] - began,
        config.TRAIN.BATCH_SIZE,
        config.DATA.CLIP_LEN,
        config.DATA.CROP_SIZE,
        parameters,
        torch.get_num_threads(),
        peak_rss_mb(),
    )
