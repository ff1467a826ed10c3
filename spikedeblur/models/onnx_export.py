"""A network as an ONNX graph, for programs without torch: of any height and width, in one file.

The graph is the network alone. What comes before it and after it has branches and loops that depend
on the spikes, and stays outside; the file's metadata says what that is.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spikedeblur.errors import UsageError, WeightsError
from spikedeblur.models.checkpoint import HEADER
from spikedeblur.models.vrt_joint import VRTJoint
from spikedeblur.models.vrt_spike import VRTSpike
from spikedeblur.prior.features import MAPS, PICTURES

OPSET = 18
LEAST, MOST = 2, 1024  # sides of a frame in multiples: below, axes of one pixel vanish
PACKAGES = ("onnx", "onnxscript")
OUTSIDE = {
    "voxelize": "the spikes of each frame's exposure, counted in `bins` bins where they lie on it",
    "read": "pictures, maps and rates of frames and counts, with `reach` frames to either side of "
    "a clip, where there are any: spikedeblur.graph_inputs",
    "pad": "frames are mirrored at bottom and right to multiples of `size_multiple`, "
    "at least `least_size`, and the result is cropped",
    "clip": "videos are cut into clips of `frames` frames, no clip over two shots",
    "clamp": "the result is sRGB, not clamped to 0 to 1",
}


class _Graph(nn.Module):
    """The network as a module with the tensors of one clip as arguments."""

    def __init__(self, model: VRTJoint) -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: Tensor, maps: Tensor, rates: Tensor) -> Tensor:
        return self.model.restore(pictures, maps, rates)


def export_onnx(model: VRTSpike, path: Path, frames: int | None = None) -> dict[str, Any]:
    """Write the graph that restores clips of `frames` frames, by default the model's window.

    Takes pictures (T, P, 3, H, W), maps (T, M, H, W) and rates (T, K, H / 2, W / 2), float32, and
    gives sharp (T, 3, H, W). `path` is written directly. Returns the metadata.
    Raises `UsageError` without onnx, `WeightsError` for a network whose graph needs one size.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"an ONNX graph needs {' and '.join(missing)} (not installed) - "
            "pip install 'spikedeblur[export]'"
        )
    graph, frames = _Graph(_exportable(model)), frames or model.window
    about = _metadata(model, frames)
    step, (height, width) = model.size_multiple, (2 * side for side in about["least_size"])
    sample = (
        torch.zeros(frames, len(PICTURES), 3, height, width),
        torch.zeros(frames, len(MAPS) + 1, height, width),
        torch.zeros(frames, model.bins, height // 2, width // 2),
    )
    rows, columns = (torch.export.Dim(name, min=1, max=MOST) for name in ("rows", "columns"))
    shapes = (
        {3: step * rows, 4: step * columns},
        {2: step * rows, 3: step * columns},
        {2: step // 2 * rows, 3: step // 2 * columns},
    )
    with _quiet(), torch.inference_mode(False), torch.no_grad():
        program = torch.onnx.export(
            graph.eval(),
            sample,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=["pictures", "maps", "rates"],
            output_names=["sharp"],
            opset_version=OPSET,
            verbose=False,
        )
        assert program is not None
        program.model.metadata_props[HEADER] = json.dumps(about)
        program.save(path, external_data=False)
    return about


def _exportable(model: VRTSpike) -> VRTJoint:
    vrt = model.config.MODEL.VRT
    if not isinstance(model, VRTJoint) or vrt.PA_FRAMES:
        seen = f"PA_FRAMES: {vrt.PA_FRAMES}" if vrt.PA_FRAMES else "no REFINER"
        raise WeightsError(
            f"these weights are of a network that has no graph for all sizes ({seen} in its "
            "configuration) - name weights of the configuration small, or one like it"
        )
    return model


def _least_size(model: VRTSpike) -> list[int]:
    """Height and width of the smallest frames of a graph: attention may want whole windows."""
    return [max(LEAST * model.size_multiple, side) for side in model.padded_size(1, 1)]


def _metadata(model: VRTSpike, frames: int) -> dict[str, Any]:
    return {
        "format": 1,
        "frames": frames,
        "bins": model.bins,
        "reach": model.reach,
        "size_multiple": model.size_multiple,
        "least_size": _least_size(model),
        "pictures": list(PICTURES),
        "maps": [*MAPS, "target_time"],
        "outside": OUTSIDE,
        "config": model.config.model_dump(mode="json"),
    }


class _quiet(warnings.catch_warnings):  # noqa: N801
    """Keep torch from speaking of operators that are not used."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
        self._level = (logger := logging.getLogger("torch.onnx")).level
        logger.setLevel(logging.ERROR)

    def __exit__(self, *raised: Any) -> None:
        logging.getLogger("torch.onnx").setLevel(self._level)
        super().__exit__(*raised)
