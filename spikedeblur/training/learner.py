"""The learner: the network, the average of its weights, the optimizer and its schedule."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from spikedeblur.machine.device import autocast
from spikedeblur.machine.memory import keep_freed
from spikedeblur.models.build import build_model
from spikedeblur.models.compiled import compile_blocks
from spikedeblur.models.vrt_spike import VRTSpike
from spikedeblur.prior.features import PriorFeatures
from spikedeblur.training.config import Config
from spikedeblur.training.data.sampler import Batch
from spikedeblur.training.distributed import World
from spikedeblur.training.losses import RestorationLoss
from spikedeblur.training.optimization import build_average, build_optimizer, build_schedule
from spikedeblur.training.sharding import apply_fsdp, optimizer_parts, shared_out, whole
from spikedeblur.training.state import SavedState


def features(batch: Batch) -> dict[str, PriorFeatures]:
    """Return what was found out about the clips before, as the network takes it."""
    if "pictures" not in batch:
        return {}
    parts = (batch[key].flatten(0, 1) for key in ("pictures", "maps", "rates"))
    return {"features": PriorFeatures(*parts)}


class Learner:
    """Takes optimiser steps; `average` holds the weights that are validated and shipped."""

    def __init__(self, config: Config, model: VRTSpike, world: World) -> None:
        settings = config.TRAIN
        self.world = world
        if world.device.type == "cpu":
            keep_freed()
        self.clip_norm = settings.CLIP_NORM
        self.accumulation = settings.ACCUMULATION
        self.precision = settings.PRECISION
        self.model = model.to(world.device).train()
        self.average = build_average(self.model, settings).eval()
        self.sharded = settings.FSDP and world.size > 1
        if self.sharded:
            for network in (self.model, self.averaged):
                apply_fsdp(network, world.device, world.size)
        some_unused = self.model.may_leave_weights_unused
        self.parallel = self.model if self.sharded else world.wrap(self.model, some_unused)
        if settings.COMPILE:
            compile_blocks(self.model, world.device)
        self.loss = RestorationLoss(config.LOSS).to(world.device)
        self.optimizer = build_optimizer(self.model, settings)
        self.schedule = build_schedule(self.optimizer, settings)
        scales = settings.PRECISION == "fp16" and world.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=scales)

    def accumulate(self, batch: Batch, last: bool) -> float:
        """Add the gradient of one of a step's batches; returns its share of the step's loss."""
        with self.gradients_shared(last):
            restored = self.restore(self.parallel, batch)
            sharp = batch["sharp"].to(self.world.device, non_blocking=True)
            loss = self.loss(restored, sharp) / self.accumulation
            self.scaler.scale(loss).backward()
        return float(loss.detach())

    def gradients_shared(self, last: bool) -> AbstractContextManager[None]:
        """Between processes, average gradients once a step and not at every accumulated batch."""
        if isinstance(self.parallel, FSDPModule):
            self.parallel.set_requires_gradient_sync(last)
        if isinstance(self.parallel, nn.parallel.DistributedDataParallel) and not last:
            return self.parallel.no_sync()
        return nullcontext()

    def restore(self, network: nn.Module, batch: Batch) -> Tensor:
        """Run `network` on a batch at the precision of the run; returns (B, T, 3, H, W)."""
        device = self.world.device
        there = {
            key: value.to(device, non_blocking=True)
            for key, value in batch.items()
            if key != "sharp"
        }
        with autocast(self.precision, device):
            return network(
                there["blurry"], there.get("voxels"), there["target_time"], **features(there)
            )

    @property
    def averaged(self) -> VRTSpike:
        """The network with the averaged weights."""
        return cast(VRTSpike, self.average.module)

    def whole_average(self) -> VRTSpike:
        """`averaged`, or where that is shared out a whole copy of it; for all processes to call.

        With the whole one, each process can validate its own clips, and one can write weights.
        """
        if not self.sharded:
            return self.averaged
        with torch.random.fork_rng(devices=[]):  # the run's random numbers are not for this
            network = build_model(self.averaged.config)
        network.load_state_dict(whole(self.averaged.state_dict()))
        return network.to(self.world.device).eval()

    def clip_gradient(self) -> float:
        """Bound the norm of the step's gradient; returns what it was."""
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        return float(whole(norm))

    def move_weights(self) -> None:
        """Move the weights along their gradient, then their average and the learning rate."""
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.average.update_parameters(self.model)
        self.optimizer.zero_grad(set_to_none=True)

    def state(self) -> SavedState:
        """Return all that the coming steps depend on; for all processes to call together."""
        return whole(
            {
                "model": dict(self.model.state_dict()),
                "average": dict(self.average.state_dict()),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "scaler": self.scaler.state_dict(),
            }
        )

    def load(self, state: SavedState) -> None:
        """Take over what `state` returned."""
        self.model.load_state_dict(shared_out(state["model"], self.model.state_dict()))
        self.average.load_state_dict(shared_out(state["average"], self.average.state_dict()))
        self.optimizer.load_state_dict(optimizer_parts(state["optimizer"], self.optimizer))
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
