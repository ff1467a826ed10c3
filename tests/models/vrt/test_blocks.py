"""What every kind of block has to keep to; a new one is tested by its line in the table."""

import pytest
import torch
from torch import nn

from spikedeblur.models.residual import Block, Residual
from spikedeblur.models.vrt.blocks import BLOCKS
from spikedeblur.models.vrt.stages import Run, StageOptions

OPTIONS = StageOptions((2, 4, 4), 0.5, 2.0, 0, 2, False, False)


@pytest.fixture(params=BLOCKS)
def kind(request):
    torch.manual_seed(0)
    return BLOCKS[request.param]


def parts(kind) -> list[tuple[nn.Module, bool]]:
    """A stage and two groups of stage 8, and whether frames may see each other in it."""
    rates = [0.0] * 4
    return [
        (kind("none", 1, 8, Run(8, 2, rates), OPTIONS).eval(), True),
        (kind.refinement(Run(8, 2, rates), OPTIONS).eval(), True),
        (kind.refinement(Run(8, 2, rates, per_frame=True), OPTIONS).eval(), False),
    ]


def applied(part: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return part(x, None) if type(part) in BLOCKS.values() else part(x)


def test_blocks_whose_last_layers_are_zero_pass_their_input_on(kind):
    x = torch.rand(1, 3, 8, 8, 8)
    for part, _ in parts(kind):
        assert not torch.equal(applied(part, x), x)
        for module in part.modules():
            for layer in module.last_layers() if isinstance(module, Residual) else ():
                for parameter in layer.parameters():
                    nn.init.zeros_(parameter)
        assert torch.equal(applied(part, x), x)


def test_frames_see_each_other_unless_they_are_kept_apart(kind):
    x = torch.rand(1, 3, 8, 8, 8)
    other = x.clone()
    other[:, 0] += 1
    for part, mixes in parts(kind):
        changed = (applied(part, other) - applied(part, x)).abs().amax((0, 2, 3, 4)) > 0
        assert changed.tolist() == [True, mixes, mixes and changed[2].item()]


def test_there_is_something_to_compile(kind):
    for part, _ in parts(kind):
        assert any(isinstance(module, Block) for module in part.modules())
