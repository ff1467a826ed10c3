"""Weights files made to run code, to fill the memory, or to pass for what they are not."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from safetensors.torch import load_file, save_file

from spikedeblur.errors import WeightsError
from spikedeblur.models.checkpoint import FORMAT, FORMAT_1, HEADER, load_model
from spikedeblur.models.tensor_files import read_pickle, read_tensors
from tests.attacks.bombs import Runs
from tests.hostile import refused


def archive(path: Path, program: bytes, how: int = zipfile.ZIP_STORED) -> Path:
    """A file like torch's, with this pickle in it."""
    with zipfile.ZipFile(path, "w", how) as out:
        out.writestr("a/data.pkl", program)
        out.writestr("a/version", "3\n")
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("packed", [True, False])
def test_pickles_that_run_code(tmp_path: Path, protocol: int, packed: bool) -> None:
    marker, path = tmp_path / "ran", tmp_path / "w.pth"
    program = pickle.dumps({"params": Runs(os.mkdir, str(marker))}, protocol=protocol)
    if packed:
        archive(path, program)
    else:
        path.write_bytes(program * 5)
    with refused(WeightsError, "more than plain tensors"):
        load_model(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "value",
    [
        Runs(bytearray, 10**10),
        Runs(eval, "1"),
        Runs(np.ones, (10**5, 10**5)),
        Runs(torch.zeros, 10**10),
        np.zeros(3),
        torch.zeros(2, 2).to_sparse(),
        1j,
        {1},
    ],
    ids=["bytearray", "eval", "numpy", "factory", "array", "sparse", "complex", "set"],
)
def test_pickles_that_hold_more_than_tensors(tmp_path: Path, value: object) -> None:
    torch.save({"params": {"a": value}}, tmp_path / "w.pth")
    with refused(WeightsError, "plain tensor"):
        read_pickle(tmp_path / "w.pth")


def test_a_view_that_repeats_one_value(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "w.pth")
    with refused(WeightsError, "plain tensor as 'a'"):
        read_pickle(tmp_path / "w.pth")


def test_archives_that_unpack_to_more_than_they_are(tmp_path: Path) -> None:
    bomb = archive(tmp_path / "zip.pth", bytes(100_000_000), zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1_000_000
    with refused(WeightsError, "compressed archive"):
        load_model(bomb)
    twice = archive(tmp_path / "twice.pth", b"\x80\x02}." + bytes(3000))
    with zipfile.ZipFile(twice) as read:
        directory = twice.read_bytes()[read.start_dir :]
    # A second entry of the directory that names the same bytes again.
    entries = directory[: directory.index(b"PK\x05\x06")]
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 4, 4, 2 * len(entries), read.start_dir, 0)
    twice.write_bytes(twice.read_bytes()[: read.start_dir] + entries * 2 + end)
    with refused(WeightsError, "overlap"):
        load_model(twice)


def test_a_pickle_behind_the_end_of_an_archive(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "w.pth"
    harmless = archive(tmp_path / "h.pth", b"\x80\x02}.").read_bytes()
    path.write_bytes(pickle.dumps(Runs(os.mkdir, str(marker)), protocol=2) * 5 + harmless)
    assert zipfile.is_zipfile(path)
    with refused(WeightsError, "more than plain tensors"):
        load_model(path)
    assert not marker.exists()


@pytest.mark.parametrize("stated", [10**15, 2**63, 2**64 - 1, 99_000_000])
def test_a_header_said_to_be_huge(tmp_path: Path, stated: int) -> None:
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.write(stated.to_bytes(8, "little") + b"{}")
        file.truncate(100_000_000)
    with refused(WeightsError, "a header of"):
        load_model(path)


def test_more_tensors_than_any_model_has(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({str(number): entry for number in range(60_000)}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with refused(WeightsError, "60000 tensors", megabytes=300):
        load_model(path)
    with refused(WeightsError, "60000 tensors", megabytes=300):
        read_tensors(path)


def reconfigured(weights: Path, path: Path, section: str, **values: Any) -> Path:
    """The weights with another configuration in them."""
    with safetensors.safe_open(weights, "pt") as file:
        header = json.loads(file.metadata()[HEADER])
    part = header
    for name in section.split(".") if section else ():
        part = part[name]
    part.update(values)
    save_file(load_file(weights), path, {HEADER: json.dumps(header)})
    return path


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("MODEL.VRT", {"EMBED_DIMS": [8] * 10 + [10**9]}),
        ("MODEL.VRT", {"EMBED_DIMS": [8] * 10 + [2048], "MLP_RATIO": 64}),
        ("MODEL.VRT", {"DEPTHS": [10**9] * 11}),
        ("MODEL.VRT", {"EMBED_DIMS": [8] * 7 + [2048] * 4, "DEPTHS": [100] * 11}),
        ("MODEL.VRT", {"WINDOW_SIZE": [2048, 2048, 2048]}),
        ("MODEL.REFINER", {"WIDTHS": [16, 10**9]}),
        ("", {"bins": 10**12}),
        ("", {"window": 10**12}),
    ],
)
def test_a_small_file_that_asks_for_a_large_network(
    tiny_weights: Path, tmp_path: Path, section: str, values: dict[str, Any]
) -> None:
    path = reconfigured(tiny_weights, tmp_path / "w.safetensors", section, **values)
    with refused(WeightsError, "holds another", megabytes=500):
        load_model(path)


def test_numbers_beyond_single_precision(tiny_weights: Path, tmp_path: Path) -> None:
    state = load_file(tiny_weights)
    with safetensors.safe_open(tiny_weights, "pt") as file:
        metadata = file.metadata()
    name = "vrt.conv_first.weight"
    state[name] = torch.full(state[name].shape, 1e300, dtype=torch.float64)
    save_file(state, tmp_path / "w.safetensors", metadata)
    with refused(WeightsError, f"{name} holds values that are not finite"):
        load_model(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    "metadata",
    [
        "[" * 10_000,
        "{}",
        "null",
        "[]",
        json.dumps({"format": FORMAT, "MODEL": [1]}),
        json.dumps({"format": FORMAT, "X\x1b[2J": 1}),
        json.dumps({"format": [FORMAT]}),
        '{"format": 1' + "0" * 5000 + "}",
        json.dumps({"format": FORMAT, "bins": "x" * 100_000}),
        json.dumps({"format": FORMAT_1, "config": [1]}),
        json.dumps({"format": FORMAT_1, "config": {"DATA": [1]}}),
        json.dumps({"format": FORMAT_1, "config": {"DATA": {"K": "x" * 100_000}}}),
        json.dumps({"format": FORMAT_1, "config": {"MODEL": {"X\x1b[2J": 1}}}),
    ],
)
def test_metadata_that_is_no_configuration(tmp_path: Path, metadata: str) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", {HEADER: metadata})
    with refused(WeightsError, "w.safetensors"):
        load_model(tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["../weights/small", "/small", ".", "small/../small", "a\0b"])
def test_names_of_packaged_weights_are_no_paths(name: str) -> None:
    with refused(WeightsError, "no weights"):
        load_model(name)
