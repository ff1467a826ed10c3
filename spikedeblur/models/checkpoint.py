"""Weights files: safetensors with the configuration inside, and the official VRT's checkpoints.

A file restores the model that wrote it: nothing has to be said again on the command line. Every
load is strict, and a pickle is only ever read with `weights_only=True`.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from spikedeblur.errors import ConfigError, WeightsError
from spikedeblur.models.config import Config, config_from_dict
from spikedeblur.models.vrt_import import deduce_config
from spikedeblur.models.vrt_spike import VRTSpike, build_model

DEFAULT = "small"
FORMAT = "spikedeblur-model-1"
HEADER = "spikedeblur"  # the metadata entry of a file, JSON
MAX_TENSORS = 50_000
PICKLE_SUFFIXES = {".pth", ".pt", ".ckpt"}


def packaged_weights() -> list[str]:
    """Names of the weights that come with the package."""
    folder = resources.files("spikedeblur") / "weights"
    suffix = ".safetensors"
    names = [path.name for path in folder.iterdir()]
    return sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix))


def weights_path(name_or_path: str | Path | None = None) -> Path:
    """The file behind a packaged name, a path, or None for the default.

    Raises `WeightsError` when there is no such name or file.
    """
    name = str(name_or_path or DEFAULT)
    path = Path(str(resources.files("spikedeblur") / "weights" / f"{name}.safetensors"))
    if name in packaged_weights():
        return path
    if Path(name).is_file():
        return Path(name)
    packaged = ", ".join(packaged_weights()) or "none packaged"
    raise WeightsError(f"there are no weights {name} - name a .safetensors or .pth file, or one "
                       f"of: {packaged}")


def load_model(
    name_or_path: str | Path | None = None, device: str | torch.device = "cpu"
) -> VRTSpike:
    """The model of a weights file, in fp32 and evaluation mode, on `device`.

    Takes the shipped weights (None or a name), a `.safetensors` that `save_model` wrote, or an
    official VRT checkpoint (`.pth`, `{"params": ...}`), which gives a model without spikes.
    Raises `WeightsError` for files that are missing, damaged, another model's, or not finite.
    """
    path = weights_path(name_or_path)
    if path.suffix in PICKLE_SUFFIXES:
        state = {f"vrt.{key}": value for key, value in read_official(path).items()}
        config = deduce_config(state, path.name)
    else:
        config, state = read_model_file(path)
    try:
        model = build_model(config)
    except ConfigError as error:
        raise WeightsError(f"{path}: {error}") from None
    load_strictly(model, state, path)
    return model.to(device).eval()


def save_model(
    path: Path, model: VRTSpike, dtype: torch.dtype = torch.float32,
    notes: dict[str, str] | None = None,
) -> None:
    """Write weights and configuration as safetensors; `dtype` is what floats are stored in.

    Buffers are not written: all of them follow from the configuration. `path` is written directly:
    callers that replace a file wrap this in `io.atomic.atomic_path`.
    """
    state = {key: p.detach().to("cpu", dtype).contiguous() for key, p in model.named_parameters()}
    header = {"format": FORMAT, "config": model.config.model_dump(mode="json"), **(notes or {})}
    # One entry: the order of several is not kept, and equal weights should be equal files.
    path.write_bytes(save(state, metadata={HEADER: json.dumps(header)}))


def read_model_file(path: Path) -> tuple[Config, dict[str, Tensor]]:
    """Configuration and tensors of a file that `save_model` wrote."""
    try:
        with safe_open(path, framework="pt") as file:
            header, names = _header((file.metadata() or {}).get(HEADER)), list(file.keys())
            if header.get("format") != FORMAT or len(names) > MAX_TENSORS:
                raise WeightsError(
                    f"{path} is not a model of this program (format {header.get('format')!r}, "
                    f"{len(names)} tensors) - name a file that `spikedeblur train` wrote"
                )
            config = config_from_dict(header.get("config") or {}, str(path))
            return config, {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is no safetensors file ({error}) - name a weights file"
        ) from None
    except ConfigError as error:
        raise WeightsError(f"{path} holds another configuration ({error})") from None


def read_official(path: Path) -> dict[str, Tensor]:
    """The state dict of an official VRT checkpoint, out of its `params` level when there is one."""
    _refuse_bomb(path)
    try:
        tree = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, KeyError, EOFError, OSError,
            AttributeError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise WeightsError(f"{path} cannot be read as plain tensors ({reason}) - "
                           "name a checkpoint that holds a state dict only") from None
    tree = tree.get("params", tree) if isinstance(tree, dict) else tree
    if not isinstance(tree, dict) or not all(isinstance(v, Tensor) for v in tree.values()):
        raise WeightsError(f"{path} holds no state dict - name an official VRT checkpoint")
    return tree


def load_strictly(model: torch.nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Copy `state` into `model`; names, shapes and finiteness are checked before anything moves.

    Every parameter has to be there, and nothing that the model has no place for; buffers may be.
    """
    expected = model.state_dict()
    required = {name for name, _ in model.named_parameters()}
    for kind, names in (("lacks", required - state.keys()),
                        ("has the unknown", state.keys() - expected.keys())):
        if names:
            raise WeightsError(f"{path} {kind} tensor {min(names)} ({len(names)} in all) - "
                               "these weights are of another model")
    for key, value in state.items():
        if value.shape != expected[key].shape:
            raise WeightsError(f"{path}: tensor {key} is {tuple(value.shape)}, the model's is "
                               f"{tuple(expected[key].shape)} - these weights are of another model")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise WeightsError(f"{path}: tensor {key} holds values that are not finite - "
                               "the file is damaged, get it again")
    model.load_state_dict({**expected, **state})


def _header(text: str | None) -> dict[str, Any]:
    """What stands beside the tensors; empty for files that are not ours."""
    try:
        header = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def _refuse_bomb(path: Path) -> None:
    """Torch's zip archives store tensors as they are; a compressed one can unpack to anything."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise WeightsError(f"{path} is a compressed archive - name one that torch wrote")
