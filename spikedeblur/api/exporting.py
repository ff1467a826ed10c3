"""Networks for other programs, from Python: a graph, and what it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikedeblur.api.calls import python_call
from spikedeblur.errors import CallError
from spikedeblur.io.atomic import atomic_path, check_output
from spikedeblur.models.checkpoint import load_model
from spikedeblur.models.joint_inputs import NetworkInputs
from spikedeblur.models.onnx_export import export_onnx
from spikedeblur.prior.features import prior_features

__all__ = ["export", "graph_inputs"]


@python_call
def export(
    weights: str | Path | None = None,
    *,
    output: str | Path,
    window: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the network of weights as an ONNX graph of any height and width; gives its path.

    window: frames of a clip, by default those it was trained on. Needs the extra `export`. Raises
    `SpikedeblurError`.
    """
    if window is not None and window < 1:
        raise CallError(f"no window has {window} frames - give 1 or more")
    check_output(Path(output), overwrite)
    model = load_model(weights)
    with atomic_path(output, overwrite) as path:
        export_onnx(model, path, window)
    return Path(output)


@python_call
def graph_inputs(
    frames: NDArray[Any],
    voxels: NDArray[Any],
    *,
    kept: slice = slice(None),
    target_time: float = 0.0,
    size_multiple: int = 16,
    least_size: tuple[int, int] | list[int] = (32, 32),
) -> dict[str, NDArray[np.float32]]:
    """Read a clip's spikes for an exported graph: its inputs by name.

    frames: (T, H, W, 3) sRGB, uint8, uint16 or floats in 0 to 1; voxels: (T, K, h, w) spike counts
    of a plane that shows the frames' field, as `voxelize` gives them. kept: which of the frames
    the graph is to restore, one step apart; those before and after are looked at only.
    target_time: the instant to restore, in [-0.5, 0.5] of the exposure. size_multiple, least_size:
    of the graph's metadata. Of the result the first H rows and W columns belong to the frames.
    Raises `SpikedeblurError`.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise CallError(f"frames of shape {frames.shape} - give (T, H, W, 3)")
    if voxels.ndim != 4 or len(voxels) != len(frames) or not voxels.size:
        raise CallError(
            f"voxels of shape {voxels.shape} with {len(frames)} frames - give (T, K, h, w)"
        )
    white = np.iinfo(frames.dtype).max if frames.dtype.kind == "u" else 1
    rgb = torch.from_numpy(np.moveaxis(frames / np.float32(white), -1, 1).astype(np.float32))
    counts, target = torch.from_numpy(voxels.astype(np.float32)), torch.tensor([target_time])
    sides = zip(rgb.shape[-2:], least_size, strict=True)
    height, width = (max(least, -(-side // size_multiple) * size_multiple) for side, least in sides)
    features = prior_features(rgb[None], counts[None], target, kept)
    inputs = NetworkInputs.of(features, target.expand(len(features.rates)), (height, width))
    return {name: value.numpy() for name, value in vars(inputs).items()}
