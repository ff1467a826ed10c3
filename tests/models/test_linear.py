"""The linear layer against torch's own."""

import pytest
import torch
from torch import nn

from spikedeblur.models import linear
from spikedeblur.models.linear import Linear, by_onednn


@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 4, 5), (0, 5), (1, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_gives_what_torch_gives(shape, bias):
    torch.manual_seed(0)
    ours = Linear(5, 3, bias=bias)
    theirs = nn.Linear(5, 3, bias=bias)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(shape)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-6, rtol=1e-5)
        apart = torch.randn(*shape[:-1], 10)[..., ::2]
        torch.testing.assert_close(ours(apart), theirs(apart), atol=1e-6, rtol=1e-5)


def test_it_learns():
    layer = Linear(5, 3)
    layer(torch.ones(2, 5)).sum().backward()
    torch.testing.assert_close(layer.weight.grad, torch.full((3, 5), 2.0))


def test_it_leaves_mixed_precision_and_tracing_to_torch():
    layer, x = Linear(5, 3), torch.ones(2, 5)
    with torch.inference_mode():
        assert by_onednn(x) == linear.ONEDNN
        assert not by_onednn(x.double())
        with torch.autocast("cpu", torch.bfloat16):
            assert not by_onednn(x)
            assert layer(x).dtype == torch.bfloat16
    traced = torch.jit.trace(layer.eval(), (x,))
    assert "mkldnn" not in str(traced.graph)
