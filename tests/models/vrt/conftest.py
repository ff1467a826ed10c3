"""The tiny reference network: weights, input and every intermediate result (tests/fixtures)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikedeblur.models.vrt import VRT

FIXTURES = Path(__file__).parents[2] / "fixtures"
DERIVED = ("relative_position_index", "position_bias", "spynet.mean", "spynet.std")

# A network for tests of behaviour, not of values.
SMALL: dict[str, Any] = {
    "depths": (2,) * 7 + (1,) * 4,
    "embed_dims": (8,) * 7 + (12,) * 4,
    "num_heads": (2,) * 11,
    "deformable_groups": 2,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def reference() -> Any:
    return np.load(FIXTURES / "tiny_vrt.npz")


@pytest.fixture(scope="session")
def make_tiny(reference: Any) -> Callable[..., VRT]:
    """Build the reference network, with options changed."""
    config = json.loads((FIXTURES / "tiny_vrt.json").read_text())["config"]
    names = [name[2:] for name in reference.files if name.startswith("w/")]
    state = {name: torch.from_numpy(reference["w/" + name].astype(np.float32)) for name in names}

    def make(**changes: Any) -> VRT:
        model = VRT(**{**config, **changes}).eval()
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert not unexpected
        assert all(name.endswith(DERIVED) for name in missing)
        return model

    return make


@pytest.fixture(scope="session")
def tiny(make_tiny: Callable[..., VRT]) -> VRT:
    return make_tiny()


@pytest.fixture
def make_small() -> Callable[..., VRT]:
    """Build a small random network whose alignment is not at its neutral start."""

    def make(**changes: Any) -> VRT:
        torch.manual_seed(0)
        model = VRT(**{**SMALL, **changes})
        for name, parameter in model.named_parameters():
            if "conv_offset.6" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        return model

    return make
