"""Weights files with bytes changed: a model comes out, or one `WeightsError`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.errors import WeightsError
from spikedeblur.models.checkpoint import HEADER, load_model
from spikedeblur.models.tensor_files import read_pickle
from spikedeblur.models.vrt_spike import VRTSpike
from spikedeblur.training.config import load_config
from tests.fuzz.examples import fuzzed
from tests.fuzz.mutations import CHANGES, spoilt, write
from tests.hostile import check_message

MEGABYTES = 400


def header_end(whole: bytes) -> int:
    """Where the tensors of a safetensors file begin: after a length and so much JSON."""
    return 8 + int.from_bytes(whole[:8], "little")


@fuzzed(1500)
@given(CHANGES, st.sampled_from([True, True, True, False]))
def test_safetensors(tiny_weights: Path, tmp_path: Path, changes: bytes, in_header: bool) -> None:
    whole = tiny_weights.read_bytes()
    end = header_end(whole) if in_header else len(whole)
    path = tmp_path / "w.safetensors"
    write(path, spoilt(whole[:end], changes) + whole[end:])
    try:
        assert isinstance(load_model(path), VRTSpike)
    except WeightsError as error:
        check_message(error)


NUMBERS = st.integers(-2, 12) | st.sampled_from([2**31, 10**12, -(10**12), 2**63, 2**64])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def places(tree: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every key of a configuration."""
    found = []
    for key, value in tree.items():
        found.append((*path, key))
        if isinstance(value, dict):
            found.extend(places(value, (*path, key)))
    return found


PLACES = places(load_config("small").network.model_dump(mode="json"))


@fuzzed(100)
@given(st.dictionaries(st.sampled_from(PLACES), VALUES, min_size=1, max_size=3))
def test_configurations_beside_the_tensors(
    tiny_weights: Path, tmp_path: Path, changes: dict[tuple[str, ...], Any]
) -> None:
    whole = tiny_weights.read_bytes()
    end = header_end(whole)
    head = json.loads(whole[8:end])
    header = json.loads(head["__metadata__"][HEADER])
    for (*sections, key), value in changes.items():
        part = header
        for section in sections:
            part = part[section] if isinstance(part, dict) and section in part else {}
        if isinstance(part, dict):
            part[key] = value
    path = tmp_path / "w.safetensors"
    head["__metadata__"][HEADER] = json.dumps(header)
    text = json.dumps(head).encode()
    write(path, len(text).to_bytes(8, "little") + text + whole[end:])
    try:
        assert isinstance(load_model(path), VRTSpike)
    except WeightsError as error:
        check_message(error)


def pickled(legacy: bool) -> bytes:
    state = {
        "conv.weight": torch.ones(2, 3),
        "conv.bias": torch.ones(2, dtype=torch.float16),
        "index": torch.arange(5),
        "p": torch.nn.Parameter(torch.ones(1)),
    }
    buffer = io.BytesIO()
    torch.save({"params": state}, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


@pytest.mark.parametrize("legacy", [False, True], ids=["archive", "legacy"])
def test_pickles(tmp_path: Path, legacy: bool) -> None:
    whole, path = pickled(legacy), tmp_path / "w.pth"

    @fuzzed(250)
    @given(CHANGES)
    def check(changes: bytes) -> None:
        write(path, spoilt(whole, changes))
        try:
            assert all(isinstance(value, torch.Tensor) for value in read_pickle(path).values())
        except WeightsError as error:
            check_message(error)

    path.write_bytes(whole)
    assert read_pickle(path)["index"].tolist() == list(range(5))
    check()
