"""Weights files: safetensors with the model's configuration, and the official VRT's checkpoints.

A file restores the model that wrote it: nothing has to be repeated on the command line. Every
load is strict. Names and shapes are compared before tensors are read, so that a small file cannot
ask for a large model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor
from torch.overrides import TorchFunctionMode

from spikedeblur.errors import ConfigError, WeightsError, shown
from spikedeblur.models.build import build_model
from spikedeblur.models.config import NetworkConfig
from spikedeblur.models.sections import parse_section
from spikedeblur.models.tensor_files import open_safetensors, read_pickle
from spikedeblur.models.vrt_import import deduce_config
from spikedeblur.models.vrt_spike import VRTSpike
from spikedeblur.vocabulary import PICKLES, SAFETENSORS

DEFAULT = "small"
FORMAT = 2
FORMAT_1 = "spikedeblur-model-1"  # its configuration was that of a training run
HEADER = "spikedeblur"  # the metadata entry of a file, JSON
# Values that making a model may take beside its parameters, for buffers and what they are made of.
BUFFERS = 1 << 25


def packaged_weights() -> list[str]:
    """Names of the weights that come with the package."""
    folder = resources.files("spikedeblur") / "weights"
    names = [path.name for path in folder.iterdir()]
    return sorted(name.removesuffix(SAFETENSORS) for name in names if name.endswith(SAFETENSORS))


def weights_path(name_or_path: str | Path | None = None) -> Path:
    """The file behind a packaged name, a path, or None for the default.

    Raises `WeightsError` when there is no such name or file.
    """
    name = str(name_or_path or DEFAULT)
    path = Path(str(resources.files("spikedeblur") / "weights" / f"{name}{SAFETENSORS}"))
    if name in packaged_weights():
        return path
    if Path(name).is_file():
        return Path(name)
    packaged = ", ".join(packaged_weights()) or "none packaged"
    raise WeightsError(
        f"there are no weights {name} - name a .safetensors or .pth file, or one of: {packaged}"
    )


def load_model(
    name_or_path: str | Path | None = None, device: str | torch.device = "cpu"
) -> VRTSpike:
    """The model of a weights file, in fp32 and evaluation mode, on `device`.

    Takes the shipped weights (None or a name), a `.safetensors` that `save_model` wrote, or an
    official VRT checkpoint (`.pth`, `{"params": ...}`), which gives a model without spikes.
    Raises `WeightsError` for files that are missing, damaged, another model's, or not finite.
    """
    path = weights_path(name_or_path)
    if path.suffix.lower() in PICKLES:
        state = {f"vrt.{key}": value for key, value in read_pickle(path).items()}
        shapes = {key: tuple(value.shape) for key, value in state.items()}
        model = fitting_model(deduce_config(state, path.name), shapes, path)
    else:
        with open_safetensors(path) as file:
            names = file.keys()
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in names}
            model = fitting_model(_config(file.metadata(), path), shapes, path)
            state = {key: file.get_tensor(key) for key in shapes}
    fill(model, state, path)
    return model.to(device).eval()


def save_model(path: Path, model: VRTSpike, dtype: torch.dtype = torch.float32) -> None:
    """Write weights and the model's configuration; `dtype` is what floats are stored in.

    Buffers are not written: all of them follow from the configuration. `path` is written directly:
    callers that replace a file wrap this in `io.atomic.atomic_path`.
    """
    state = {key: p.detach().to("cpu", dtype).contiguous() for key, p in model.named_parameters()}
    header = {"format": FORMAT, **model.config.model_dump(mode="json")}
    # One entry: the order of several is not kept, and equal weights should be equal files.
    path.write_bytes(save(state, metadata={HEADER: json.dumps(header)}))


def fitting_model(
    config: NetworkConfig, shapes: Mapping[str, tuple[int, ...]], path: Path
) -> VRTSpike:
    """A fresh model of `config`, once it is sure that tensors of these shapes fill it.

    Every parameter has to be there, and nothing that the model has no place for; buffers may be.
    Raises `WeightsError`, naming `path`.
    """
    held = sum(math.prod(shape) for shape in shapes.values())
    try:
        with ValueBudget(2 * held + BUFFERS):
            model = build_model(config)
    except ConfigError as error:
        raise WeightsError(f"{path} holds another model ({error}) - name other weights") from None
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    required = {name for name, _ in model.named_parameters()}
    for kind, names in (
        ("lacks", required - shapes.keys()),
        ("has the unknown", shapes.keys() - expected.keys()),
    ):
        if names:
            raise WeightsError(
                f"{path} {kind} tensor {min(names)[:80]} ({len(names)} in all) - "
                "these weights are of another model"
            )
    for key, shape in shapes.items():
        if shape != expected[key]:
            raise WeightsError(
                f"{path}: tensor {key} is {shown(shape)}, the model's is "
                f"{expected[key]} - these weights are of another model"
            )
    return model


def fill(model: VRTSpike, state: Mapping[str, Tensor], path: Path) -> None:
    """Copy the parameters in `state`, whose shapes fit, into `model`.

    Raises `WeightsError` for values that are not finite, and for buffers that are not what follows
    from the configuration.
    """
    own = model.state_dict()
    parameters = {name for name, _ in model.named_parameters()}
    for key, value in state.items():
        # As the model holds it: a double may be beyond what a single can be.
        cast = value.to(own[key].dtype)
        if not torch.isfinite(cast).all():
            raise WeightsError(
                f"{path}: tensor {key} holds values that are not finite - "
                "the file is damaged, get it again"
            )
        if key not in parameters and not torch.allclose(cast, own[key], atol=1e-4):
            raise WeightsError(
                f"{path}: tensor {key} is not what its configuration gives - "
                "these weights are of another model"
            )
    model.load_state_dict({**own, **{key: state[key] for key in parameters}})


class ValueBudget(TorchFunctionMode):
    """While it is active, making more than `values` values of tensors in all is a `ConfigError`."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self._values, self._made = values, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        # In-place functions return what they were given.
        if isinstance(made, Tensor) and not made._is_view() and not (args and made is args[0]):
            self._made += made.numel()
            if self._made > self._values:
                raise ConfigError(f"a network of more than {self._values} values")
        return made


def _config(metadata: dict[str, str] | None, path: Path) -> NetworkConfig:
    """The configuration that `save_model` wrote beside the tensors."""
    header = _header((metadata or {}).get(HEADER))
    number = header.pop("format", None)
    if number == FORMAT_1:
        header = _of_format_1(header)
    elif number != FORMAT:
        raise WeightsError(
            f"{path} is not a model that this program can read (format {shown(number)}, not "
            f"{FORMAT}) - name a file that `spikedeblur train` wrote, or use a newer version"
        )
    try:
        return parse_section(NetworkConfig, header, "its header")
    except ConfigError as error:
        raise WeightsError(
            f"{path} holds another configuration ({error}) - "
            "name a file that `spikedeblur train` wrote"
        ) from None


def _of_format_1(header: dict[str, Any]) -> dict[str, Any]:
    """Take today's header from one that held the configuration of the training run."""
    config = header.get("config")
    if not isinstance(config, dict):
        return header
    data = config.get("DATA")
    if not isinstance(data, dict):
        data = {}
    kept = {"bins": data.get("K"), "window": data.get("CLIP_LEN"), "MODEL": config.get("MODEL")}
    return {name: value for name, value in kept.items() if value is not None}


def _header(text: str | None) -> dict[str, Any]:
    """Read the header beside the tensors; empty for files that are not ours."""
    try:
        header = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}
