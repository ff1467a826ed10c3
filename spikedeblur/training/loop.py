"""The training loop: steps, and between them validation, records and states on the disk.

Everything that a step depends on is in `Trainer.state`, so a run that was killed and resumed
takes the very same steps (float32 on the CPU: bit for bit).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict

from torch import Tensor

from spikedeblur.errors import InputError, SpikedeblurError
from spikedeblur.machine.interruption import StopSignal
from spikedeblur.models.vrt_spike import VRTSpike
from spikedeblur.training.config import Config, config_from_dict
from spikedeblur.training.data.sampler import (
    Batch,
    BatchPlan,
    ClipSource,
    EndlessClips,
    PlannedBatches,
    batches_of,
    clip_loader,
)
from spikedeblur.training.distributed import World
from spikedeblur.training.events import Record, Report, Saved, StepDone, Validated
from spikedeblur.training.learner import Learner
from spikedeblur.training.optimization import learning_rate
from spikedeblur.training.run_folder import RunFolder, refuse_other_config, write_weights
from spikedeblur.training.state import (
    SavedState,
    newest_state,
    random_state,
    seed_everything,
    set_random_state,
    write_state,
)
from spikedeblur.training.step_statistics import StepStatistics
from spikedeblur.training.tensorboard import Board
from spikedeblur.training.validation import Quality, Validator


class Abandoned(Exception):
    """A validation was left unfinished, because a signal asks the run to end."""


class Trainer:
    """One run: a model, the clips it learns from, the clips it is measured on, and a folder."""

    def __init__(
        self,
        config: Config,
        model: VRTSpike,
        clips: ClipSource,
        validation_clips: ClipSource,
        folder: RunFolder,
        world: World,
        report: Report,
    ) -> None:
        settings = config.TRAIN
        self.config, self.settings, self.world, self.folder = config, settings, world, folder
        self.report: Report = report if world.leads else lambda _event: None
        self.clips = EndlessClips(clips, settings.SEED)
        self.plan = BatchPlan(settings.BATCH_SIZE, settings.ACCUMULATION, world.rank, world.size)
        self.validator = Validator(validation_clips, world, settings.WORKERS)
        self.learner = Learner(config, model, world)
        self.step = 0  # optimiser steps taken
        self.recorded = 0  # the step of the last line in metrics.jsonl
        self.saved = -1  # the step of the newest state on the disk
        self.best_psnr = -math.inf
        self.tally = StepStatistics()
        self.board: Board | None = None
        seed_everything(settings.SEED, world.rank)
        self.random = random_state(world.device)

    def run(self) -> None:
        """Train from the present step to the last.

        SIGINT and SIGTERM act after the step in progress, once the state is saved. Raises
        `SpikedeblurError` for a loss that is not finite, `OutputError` for a full disk, and what
        the making of a clip raises.
        """
        if self.config.LOG.TENSORBOARD and self.world.leads:
            self.board = Board(self.folder.tensorboard, self.step)
        with StopSignal() as stop:
            batches = self.batches()
            set_random_state(self.random, self.world.device)
            while True:
                received = self.agreed(stop)
                if not received and self.record_is_due():
                    try:
                        self.validate_and_record(stop)
                    except Abandoned:
                        received = stop.received
                if self.saved != self.step and (received or self.save_is_due()):
                    self.save()
                if received:
                    stop.deliver(received)
                if received or self.step >= self.settings.STEPS:
                    return
                self.train_step(batches)

    def batches(self) -> Iterator[Batch]:
        """Yield this process's batches from the present step on."""
        remaining = PlannedBatches(self.plan, self.step, self.settings.STEPS)
        on_gpu = self.world.device.type == "cuda"
        return batches_of(clip_loader(self.clips, remaining, self.settings.WORKERS, on_gpu))

    def agreed(self, stop: StopSignal) -> int:
        """Return the signal that any process received, 0 for none; all get the same answer."""
        return int(self.world.highest(stop.received))

    # One step

    def train_step(self, batches: Iterator[Batch]) -> None:
        """Take one optimiser step on the next batches."""
        started = time.perf_counter()
        waited = loss = 0.0
        for part in range(self.plan.accumulation):
            asked = time.perf_counter()
            batch = self.next_batch(batches)
            waited += time.perf_counter() - asked
            loss += self.learner.accumulate(batch, last=part == self.plan.accumulation - 1)
        loss = self.world.total(loss)[0] / self.world.size
        self.refuse_divergence(loss, self.learner.clip_gradient())
        self.learner.move_weights()
        self.step += 1
        self.random = random_state(self.world.device)
        self.tally.add(loss, time.perf_counter() - started, waited)
        self.report(StepDone(self.step, self.settings.STEPS, loss))

    def next_batch(self, batches: Iterator[Batch]) -> Batch:
        """Return the next batch; when there is none to be had, save what is learnt first."""
        try:
            return next(batches)
        except SpikedeblurError:
            # Not with several processes: the others are not here to take part.
            if self.world.size == 1 and self.saved < self.step:
                self.save()
            raise

    def refuse_divergence(self, loss: float, gradient: float) -> None:
        """Raise `SpikedeblurError`, before a weight has moved, when the numbers are lost."""
        # With a scaler an infinite gradient is its business: it skips the step and scales less.
        scales = self.learner.scaler.is_enabled()
        if math.isfinite(loss) and (scales or math.isfinite(gradient)):
            return
        kept = f"the state of step {self.saved} is kept" if self.saved >= 0 else "no state so far"
        raise SpikedeblurError(
            f"the loss is not finite at step {self.step + 1} (loss {loss:g}, gradient "
            f"{gradient:g}; {kept}) - start again with a lower TRAIN.LR or in fp32"
        )

    # Between steps

    def record_is_due(self) -> bool:
        """Return whether this step's line of metrics.jsonl is due and not yet written."""
        due = self.validation_is_due() or self.step % self.settings.LOG_EVERY == 0
        return due and self.step > self.recorded

    def validation_is_due(self) -> bool:
        """Return whether quality is measured at this step."""
        return self.step % self.settings.VAL_EVERY == 0 or self.step == self.settings.STEPS

    def save_is_due(self) -> bool:
        """Return whether weights and state are saved at this step."""
        return self.step % self.settings.SAVE_EVERY == 0 or self.step == self.settings.STEPS

    def validate_and_record(self, stop: StopSignal) -> None:
        """Write the present step's line of metrics.jsonl, measuring quality first when due."""
        quality = self.validate(stop) if self.validation_is_due() else None
        means = self.tally.means()
        rate = learning_rate(self.step - 1, self.settings)
        record = Record(
            self.step,
            means.loss,
            rate,
            round(means.seconds, 4),
            round(means.wait, 4),
            **(asdict(quality) if quality else {}),
        )
        if self.world.leads:
            self.folder.append(record)
        if self.board is not None:
            self.board.add(record, self.validator.triptych)
        self.tally = StepStatistics()
        self.recorded = self.step
        self.report(record)

    def validate(self, stop: StopSignal) -> Quality:
        """Measure the averaged weights, and keep them as the best when they are."""

        def progress(done: int, total: int) -> None:
            # Several processes finish it: they have to meet in the sums at its end.
            if stop.received and self.world.size == 1:
                raise Abandoned
            self.report(Validated(done, total))

        network = self.learner.whole_average()

        def restore(batch: Batch) -> Tensor:
            return self.learner.restore(network, batch)

        quality = self.validator.measure(restore, progress)
        if quality.psnr > self.best_psnr:
            self.best_psnr = quality.psnr
            if self.world.leads:
                write_weights(self.folder.best, network)
        return quality

    # The state

    def save(self) -> None:
        """Put the state of the last finished step, and the averaged weights, on the disk."""
        state, network = self.state(), self.learner.whole_average()
        if self.world.leads:
            write_state(self.folder.states, self.step, state)
            write_weights(self.folder.last, network)
        self.saved = self.step
        self.report(Saved(self.step))

    def state(self) -> SavedState:
        """Return all that the coming steps depend on."""
        return {
            "config": self.config.model_dump(mode="json"),
            "processes": self.world.size,
            "step": self.step,
            "recorded": self.recorded,
            "best_psnr": self.best_psnr,
            "tally": self.tally.as_list(),
            "learner": self.learner.state(),
            "random": self.world.gather(self.random),
        }

    def resume(self) -> bool:
        """Go back to the newest whole state in the folder; returns whether there was one.

        Raises `ConfigError` for another configuration, `InputError` for another number of
        processes and when every state is damaged.
        """
        state = newest_state(self.folder.states)
        if state is None:
            return False
        refuse_other_config(config_from_dict(state["config"], "the saved state"), self.config)
        if state["processes"] != self.world.size:
            raise InputError(
                "the run was started with another number of processes "
                f"({state['processes']}, now {self.world.size}) - "
                f"resume with torchrun --nproc-per-node {state['processes']}"
            )
        self.learner.load(state["learner"])
        self.step = self.saved = state["step"]
        self.recorded, self.best_psnr = state["recorded"], state["best_psnr"]
        self.tally = StepStatistics(*state["tally"])
        self.random = state["random"][self.world.rank]
        return True
