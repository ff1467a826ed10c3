"""A network whose weights are shared out: each process keeps a part of every tensor (FSDP).

While a part of the network runs, its weights are gathered, and given up again. The gradients, both
means of Adam and the averaged weights stay shared out, which is what makes room on a card. States
and weights files hold whole tensors, as those of any other run.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from spikedeblur.models.vrt.stages import Stage
from spikedeblur.models.vrt_spike import VRTSpike


def apply_fsdp(model: VRTSpike, device: torch.device, processes: int) -> None:
    """Share the weights of `model` out among all processes, in place."""
    # Said of parts that return a view; nothing here changes what a part returned.
    warnings.filterwarnings("ignore", ".*returned a view tensor")
    mesh = init_device_mesh(device.type, (processes,))
    for part in gathered_together(model):
        fully_shard(part, mesh=mesh)
    fully_shard(model, mesh=mesh)


def gathered_together(model: VRTSpike) -> list[nn.Module]:
    """The parts whose weights are gathered at a time, inner ones first; the rest is one more.

    Each is run by calling it: gathering hangs on the call.
    """
    parts: list[nn.Module] = []
    for stage in model.modules():
        if isinstance(stage, Stage):
            parts += [stage.reshape, stage]
    parts += model.vrt.stage8
    if model.spikes is not None:
        parts += [model.spikes.encoder, *model.spikes.attention, *model.spikes.fusion]
    return parts


def whole(thing: Any) -> Any:
    """Nested dictionaries and lists with every tensor that is shared out made whole, on the CPU.

    All processes have to call it together. What is not shared out is returned as it is.
    """
    if isinstance(thing, DTensor):
        return thing.full_tensor().cpu()
    if isinstance(thing, dict):
        return {key: whole(value) for key, value in thing.items()}
    if isinstance(thing, list):
        return [whole(value) for value in thing]
    return thing


def shared_out(values: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors shared out as those of the same name in `like` are."""
    return {key: part_of(value, like[key]) for key, value in values.items()}


def part_of(value: Tensor, like: Tensor) -> Tensor:
    """A whole tensor shared out as `like` is, or unchanged where that is not."""
    if not isinstance(like, DTensor):
        return value
    return distribute_tensor(
        value.to(like.device), like.device_mesh, like.placements, src_data_rank=None
    )


def optimizer_parts(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """An optimiser's state with whole tensors, shared out as its parameters are."""
    parameters = [weight for group in optimizer.param_groups for weight in group["params"]]

    def parts(entries: dict[str, Any], weight: Tensor) -> dict[str, Any]:
        return {
            name: part_of(value, weight) if value.shape == weight.shape else value
            for name, value in entries.items()
        }

    return {
        **state,
        "state": {
            number: parts(entries, parameters[number]) for number, entries in state["state"].items()
        },
    }
