"""Windows that a graph computes are those of the tables, for maps of any size."""

from __future__ import annotations

import pytest
import torch

from spikedeblur.models.attend import attend
from spikedeblur.models.clip_conv import ClipConv
from spikedeblur.models.vrt.tmsa import TMSAGroup
from tests.networks import shaken

SIZES = [(5, 8, 8), (5, 10, 12), (3, 16, 24), (1, 4, 4), (2, 5, 3), (7, 9, 17), (6, 3, 16)]


@pytest.fixture
def exporting(monkeypatch):
    """Calls a module as an export traces it."""

    def call(module, *args):
        with monkeypatch.context() as patched:
            patched.setattr("torch.compiler.is_exporting", lambda: True)
            return module(*args)

    return call


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("window", [(6, 8, 8), (2, 4, 4)], ids=str)
def test_windows_are_those_of_the_tables(size, window, exporting):
    """With the map shifted in one block of two; in double, so that only rounding may differ."""
    torch.manual_seed(0)
    group = shaken(TMSAGroup(8, window, 2, False, 2, [0.0, 0.0])).double()
    for batch in (1, 2):
        x = torch.randn(batch, *size, 8, dtype=torch.double)
        with torch.no_grad():
            torch.testing.assert_close(exporting(group, x), group(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("size", [(4, 8, 8), (5, 9, 14), (1, 4, 6)], ids=str)
def test_windows_of_frame_pairs_too(size, exporting):
    group = shaken(TMSAGroup(8, (2, 4, 4), 2, True, 2, [0.0, 0.0])).double()
    x = torch.randn(1, *size, 8, dtype=torch.double)
    with torch.no_grad():
        torch.testing.assert_close(exporting(group, x), group(x), atol=1e-12, rtol=0)


def test_attention_and_convolution_are_those_of_torch(exporting):
    q, k, v = torch.randn(3, 2, 4, 6, 5, dtype=torch.double)
    bias = torch.randn(4, 6, 6, dtype=torch.double)
    torch.testing.assert_close(exporting(attend, q, k, v, bias), attend(q, k, v, bias))
    convolution = ClipConv(4, 6, depth=3, stride=(2, 2)).double()
    clip = torch.randn(1, 4, 5, 6, 8, dtype=torch.double)
    torch.testing.assert_close(exporting(convolution, clip), convolution(clip))
