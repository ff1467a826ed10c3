"""The cost of a training run, from a few steps that are taken on trial."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from spikedeblur.machine.memory import peak_rss_mb
from spikedeblur.quantities import counted
from spikedeblur.training.config import Config
from spikedeblur.training.data.datasets import training_and_validation
from spikedeblur.training.data.pool import PooledClips
from spikedeblur.training.events import Event, Record, Started
from spikedeblur.training.run import run_training
from spikedeblur.training.run_folder import RunFolder
from spikedeblur.training.state import saved_states

TRIAL_STEPS = 4  # steps, of which the first is slower than all others
WEIGHT_COPIES = (
    5  # of the weights: best, last, and in the state the model, its average and two moments
)


@dataclass(frozen=True)
class TrainingTrial:
    """The cost of a run: steps of `step_s` seconds, beside what validation takes.

    started: what it will do. clips_to_make: of a pool, that it lacks, each of `clip_s` seconds.
    peak_mb: of memory, in 10^6 bytes.
    """

    started: Started
    step_s: float
    peak_mb: float
    clips_to_make: int = 0
    clip_s: float = 0.0

    @property
    def seconds(self) -> float:
        """How long the steps to come take in all."""
        steps = self.started.steps - self.started.step
        return steps * self.step_s + self.clips_to_make * self.clip_s

    @property
    def output_mb(self) -> float:
        """Weights and state."""
        return WEIGHT_COPIES * 4 * self.started.parameters / 1e6

    def figures(self) -> dict[str, Any]:
        """All of it, with units in the names."""
        return {
            **asdict(self.started),
            "step_s": float(f"{self.step_s:.3g}"),
            "clips_to_make": self.clips_to_make,
            "clip_s": float(f"{self.clip_s:.3g}"),
            "seconds_estimate": float(f"{self.seconds:.3g}"),
            "peak_rss_mb_estimate": round(self.peak_mb),
            "output_mb_estimate": float(f"{self.output_mb:.3g}"),
        }

    def lines(self) -> Iterator[str]:
        """Yield the report, a line for each thing."""
        run = self.started
        yield f"data     {run.found}, validated on {run.validation_clips} clips"
        yield (
            f"steps    {run.step + 1} to {run.steps} of {run.clips} clips, {run.frames} frames of "
            f"{run.side_px}x{run.side_px} each"
        )
        yield (
            f"model    {run.parameters / 1e6:.3g} million parameters on {run.device}, "
            f"{run.precision}, {counted(run.threads, 'thread')}"
        )
        pool = ""
        if self.clips_to_make:
            pool = f"{self.clips_to_make} clips to make for the pool at {self.clip_s:.3g} s, "
        yield (
            f"time     {self.step_s:.3g} s a step, {pool}about {duration(self.seconds)} in all, "
            "validation aside"
        )
        yield f"memory   up to about {self.peak_mb:.3g} MB"
        yield f"output   about {self.output_mb:.3g} MB of weights and state"


class _EnoughSteps(Exception):
    """End of a trial."""


def try_steps(
    config: Config, *, output: Path, resume: bool, pool: Path | None = None, **sources: Any
) -> TrainingTrial:
    """Take a few steps as `run_training` would, with its arguments; nothing of them is kept.

    Clips for a `pool` are made in one that is removed, and counted by what the pool lacks.
    Raises what it would, also for a folder `output` that holds a run unless `resume` is set.
    """
    folder = RunFolder(output)
    if not resume:
        folder.refuse_started()
    taken = last_step(folder) if resume else 0
    told: list[Started] = []
    times: list[float] = []
    wanted = min(TRIAL_STEPS, config.TRAIN.STEPS)

    def note(event: Event) -> None:
        if isinstance(event, Started):
            told.append(event)
        if isinstance(event, Record):
            # Clips of a pool are made while a step waits; later steps find most of them there.
            times.append(event.seconds * (1 - event.wait) if pool else event.seconds)
            if len(times) == wanted:
                raise _EnoughSteps

    every_step = {"LOG_EVERY": 1, "VAL_EVERY": config.TRAIN.STEPS + 1}
    tried = config.model_copy(update={"TRAIN": config.TRAIN.model_copy(update=every_step)})
    with TemporaryDirectory() as place:
        there = None if pool is None else Path(place) / "pool"
        with suppress(_EnoughSteps):
            run_training(tried, output=Path(place) / "run", pool=there, report=note, **sources)
        lacking, clip_s = (0, 0.0) if there is None else _pool_cost(config, pool, there, sources)
    later = times[1:] or times
    started = replace(told[0], step=taken, found=told[0].found.replace(str(there), str(pool)))
    return TrainingTrial(started, median(later), peak_rss_mb(), lacking, clip_s)


def last_step(folder: RunFolder) -> int:
    """The step of the newest state, by its name; 0 without any."""
    states = saved_states(folder.states)
    return int(states[0].stem.removeprefix("step-")) if states else 0


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 100:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.2g} min" if seconds < 5400 else f"{seconds / 3600:.3g} hours"


def _pool_cost(
    config: Config, pool: Path | None, there: Path, sources: dict[str, Any]
) -> tuple[int, float]:
    """(clips that a run makes for its pool, seconds of one)."""
    names = ("photos", "data", "layout", "val")
    clips, _ = training_and_validation(config, pool=there, **{n: sources.get(n) for n in names})
    assert isinstance(clips, PooledClips) and pool is not None
    draws = config.TRAIN.STEPS * config.TRAIN.BATCH_SIZE * config.TRAIN.ACCUMULATION
    kept = len(list((pool / clips.folder.name).glob("*.safetensors")))
    clips.made(0)
    began = time.perf_counter()
    clips.made(1)
    return max(clips.needed(draws) - kept, 0), time.perf_counter() - began
