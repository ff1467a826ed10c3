"""Tensors out of files from strangers: safetensors, and pickles that hold tensors only.

What a file says of itself (the length of its header, the number, shapes and places of its
tensors) is compared with what it holds before memory is taken for it. A pickle is a program;
of its instructions only those that put plain tensors together are let through, and torch reads it
with `weights_only=True` on top of that.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import safe_open
from torch import Tensor

from spikedeblur.errors import SpikedeblurError, WeightsError, shown
from spikedeblur.vocabulary import SAFETENSORS

MAX_HEADER_BYTES = 16_000_000
MAX_TENSORS = 50_000
READABLE_DTYPES = frozenset(
    {
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    }
)
ZIP_MAGIC = b"PK\x03\x04"
# Files that torch wrote before 1.6 are so many pickles, then the numbers.
LEGACY_PICKLES = 5
_STORAGES = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
TENSOR_PARTS = frozenset(
    {
        "collections OrderedDict",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_parameter",
        "torch.nn.parameter Parameter",
        "torch Size",
        *(f"torch {kind}Storage" for kind in _STORAGES),
    }
)
# Ways to name something foreign that `TENSOR_PARTS` would not catch; torch writes none of them.
HIDDEN_NAMES = frozenset({"STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4"})


@contextmanager
def open_safetensors(path: Path) -> Iterator[Any]:
    """The file as `safetensors.safe_open` gives it, its header bounded.

    Raises `WeightsError` for what is no safetensors file, also within the `with` block.
    """
    with _readable(path, "is no safetensors file"):
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if header > MAX_HEADER_BYTES:
            raise WeightsError(
                f"{path} is no safetensors file (a header of {header} bytes, at "
                f"most {MAX_HEADER_BYTES}) - name a weights file"
            )
        with safe_open(path, framework="pt") as tensors:
            _check_count(path, len(tensors.keys()))
            yield tensors


def read_pickle(path: Path) -> dict[str, Tensor]:
    """The dictionary of tensors that `torch.save` wrote, out of its `params` level if it has one.

    Raises `WeightsError` for anything but plain tensors, whole and dense, on the CPU.
    """
    with _readable(path, "cannot be read as plain tensors"):
        _refuse_foreign(path)
        tree = torch.load(path, map_location="cpu", weights_only=True)
    tree = tree.get("params", tree) if isinstance(tree, dict) else tree
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise WeightsError(f"{path} holds no state dict - name a checkpoint that is one")
    _check_count(path, len(tree))
    for key, value in tree.items():
        if not _is_plain(value):
            raise WeightsError(
                f"{path} holds no plain tensor as {shown(key)} - name a checkpoint "
                "that is a state dict"
            )
    return tree


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of either kind of file. Raises `WeightsError`."""
    if path.suffix.lower() != SAFETENSORS:
        return read_pickle(path)
    with open_safetensors(path) as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}


@contextmanager
def _readable(path: Path, problem: str) -> Iterator[None]:
    """Turn what the libraries raise for damaged bytes into one `WeightsError`."""
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path} - check the name")
    try:
        yield
    except SpikedeblurError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise WeightsError(f"{path} {problem} ({reason}) - name a weights file") from None


def _check_count(path: Path, count: int) -> None:
    if count > MAX_TENSORS:
        raise WeightsError(
            f"{path} holds {count} tensors (at most {MAX_TENSORS}) - name a weights file"
        )


def _refuse_foreign(path: Path) -> None:
    """Look through the pickle before anything of it is carried out."""
    with path.open("rb") as file:
        is_archive = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
        if not is_archive:
            file.seek(0)
            for _ in range(LEGACY_PICKLES):
                _check_pickle(path, file)
            return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        # torch stores tensors as they are: anything else could unpack to any size.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise WeightsError(f"{path} is a compressed archive - name one that torch wrote")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise WeightsError(
                f"{path} is an archive whose parts overlap - name one that torch wrote"
            )
        pickles = [entry for entry in entries if entry.filename.endswith(".pkl")]
        if len(pickles) != 1 or pickles[0].file_size > MAX_HEADER_BYTES:
            raise WeightsError(
                f"{path} is no archive that torch wrote ({len(pickles)} pickles "
                "seen) - name a weights file"
            )
        with archive.open(pickles[0]) as pickle:
            _check_pickle(path, pickle)


def _check_pickle(path: Path, file: IO[bytes]) -> None:
    """Raise `WeightsError` unless the next pickle in `file` only puts tensors together."""
    for instruction, argument, position in pickletools.genops(file):
        name = instruction.name
        if name in HIDDEN_NAMES or (name == "GLOBAL" and argument not in TENSOR_PARTS):
            seen = shown(argument) if argument is not None else name
            raise WeightsError(
                f"{path} holds more than plain tensors ({seen} at byte {position}) "
                "- name a checkpoint that holds a state dict only"
            )


def _is_plain(value: object) -> bool:
    """A dense tensor whose every value stands in the file: no view that repeats a few."""
    if type(value) not in (Tensor, torch.nn.Parameter) or not isinstance(value, Tensor):
        return False
    if (
        value.layout != torch.strided
        or value.dtype not in READABLE_DTYPES
        or value.device.type != "cpu"
    ):
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()
