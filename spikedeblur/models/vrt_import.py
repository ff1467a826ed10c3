"""The configuration of a plain VRT, read off the names and shapes of its tensors."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from spikedeblur.errors import ConfigError, WeightsError, shown
from spikedeblur.models.config import NetworkConfig
from spikedeblur.models.sections import parse_section

MUTUAL = ".residual_group1.blocks."
STAGES, GROUPS = range(1, 8), range(1, 5)


def deduce_config(state: dict[str, Tensor], name: str) -> NetworkConfig:
    """Configuration of a `VRTSpike` without spikes that holds these `vrt.` tensors.

    Windows are taken to be square in space, as all published ones are. Raises `WeightsError` when
    the tensors are not a VRT's.
    """
    try:
        vrt = _vrt_section(state)
    except (KeyError, IndexError, ZeroDivisionError, ValueError) as error:
        raise WeightsError(
            f"{name} is no VRT for deblurring (looked for {shown(str(error))}) - "
            "name an official checkpoint such as 006_VRT_videodeblurring_GoPro.pth"
        ) from None
    clip = vrt["WINDOW_SIZE"][0]
    tree = {"window": clip, "MODEL": {"USE_SPIKE": False, "VRT": vrt}}
    try:
        return parse_section(NetworkConfig, tree, "its tensors")
    except ConfigError as error:
        raise WeightsError(
            f"{name} is no VRT that is known here ({error}) - name an official checkpoint"
        ) from None


def _vrt_section(state: dict[str, Tensor]) -> dict[str, Any]:
    mutual = [f"vrt.stage{s}.residual_group1." for s in STAGES]
    own = [f"vrt.stage{s}.residual_group2." for s in STAGES]
    own += [f"vrt.stage8.{j}.residual_group." for j in GROUPS]
    mutual_depths = [_depth(state, prefix) for prefix in mutual] + [0] * len(GROUPS)
    depths = [_depth(state, p) + m for p, m in zip(own, mutual_depths, strict=True)]
    last = [f"{prefix}blocks.0." for prefix in own]
    tokens = [state[f"{block}attn.relative_position_index"].shape[0] for block in last]
    in_space, in_time = min(tokens), max(tokens)
    if in_space == in_time:  # no group works on single frames: the mutual position code shows it
        in_space = state[f"vrt.stage1{MUTUAL}0.attn.position_bias"].shape[1]
    side = math.isqrt(in_space)
    embed_dims = [state[f"{block}norm1.weight"].shape[0] for block in last]
    hidden = state[f"{last[0]}mlp.fc11.weight"].shape[0]
    return {
        "EMBED_DIMS": embed_dims,
        "DEPTHS": depths,
        "NUM_HEADS": [state[f"{b}attn.relative_position_bias_table"].shape[1] for b in last],
        "WINDOW_SIZE": [in_time // in_space, side, in_space // side],
        "INDEP_RECONSTS": [i for i, n in enumerate(tokens) if n == in_space and in_time > n],
        "MUL_ATTN_RATIO": mutual_depths[0] / depths[0],
        "MLP_RATIO": hidden / embed_dims[0],
        "PA_FRAMES": 2 if "vrt.spynet.mean" in state else 0,
        "DEFORMABLE_GROUPS": state["vrt.stage1.pa_deform.conv_offset.6.bias"].shape[0] // 27,
    }


def _depth(state: dict[str, Tensor], prefix: str) -> int:
    """Count the blocks under a group's prefix."""
    start = f"{prefix}blocks."
    return len({key[len(start) :].split(".")[0] for key in state if key.startswith(start)})
