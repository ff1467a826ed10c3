"""Compiled blocks compute what they computed, and a machine without a compiler says so."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch

from spikedeblur.errors import UsageError
from spikedeblur.models.build import build_model
from spikedeblur.models.compiled import compile_blocks
from spikedeblur.models.spike_encoder import ResidualBlock3D
from spikedeblur.models.vrt.conv import ConvBlock, ConvGroup
from spikedeblur.models.vrt.tmsa import TMSABlock
from spikedeblur.training.config import load_config

CPU = torch.device("cpu")
SHALLOW = [
    "MODEL.CHANNELS_PER_SCALE=[8,8,8,8]",
    f"MODEL.VRT.EMBED_DIMS={[8] * 11}",
    f"MODEL.VRT.DEPTHS={[1] * 11}",
]


@pytest.fixture(autouse=True)
def settings_of_torch():
    """`compile_blocks` changes settings of the whole process."""
    with torch._dynamo.config.patch(suppress_errors=False, recompile_limit=8):
        yield


def test_every_repeated_block_is_compiled_and_no_name_changes(monkeypatch):
    monkeypatch.setenv("CXX", "python3")  # any program will do, none is run
    model = build_model(load_config("small", SHALLOW).network)
    names = list(model.state_dict())
    compile_blocks(model, CPU)
    compiled = {
        type(module) for module in model.modules() if module._compiled_call_impl is not None
    }
    assert compiled == {TMSABlock, ConvBlock, ResidualBlock3D}
    assert list(model.state_dict()) == names


def test_without_a_compiler_the_message_says_what_to_install(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match=r"C\+\+ compiler \(g\+\+, .* not found\) - install one"):
        compile_blocks(build_model(load_config("small", SHALLOW).network), CPU)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no compiler here")
def test_a_compiled_block_computes_the_same():
    torch.manual_seed(0)
    plain = ConvGroup(8, False, [0.0, 0.0])
    compiled = copy.deepcopy(plain)
    compile_blocks(compiled, CPU)
    clip = torch.rand(1, 3, 16, 16, 8)
    expected, found = plain(clip), compiled(clip)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    for network, out in ((plain, expected), (compiled, found)):
        out.square().sum().backward()
        assert network[0].conv1.weight.grad is not None
    torch.testing.assert_close(
        compiled[0].conv1.weight.grad, plain[0].conv1.weight.grad, atol=1e-3, rtol=1e-3
    )
