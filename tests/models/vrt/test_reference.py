"""Against recorded results of the published network with tiny weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from spikedeblur.models.vrt import VRT, warping
from tests.models.vrt.conftest import FIXTURES

CORNER_POSITIONS = warping.corner_positions
ROUNDING = 4e-6  # pixels, of positions around 20 in float32


def relative_error(actual: torch.Tensor, expected: np.ndarray) -> float:
    target = torch.from_numpy(expected)
    assert actual.shape == target.shape
    return float((actual - target).abs().max() / target.abs().max())


@pytest.fixture(scope="module")
def run(tiny: VRT, reference: Any) -> dict[str, Any]:
    """One forward pass with everything the reference recorded."""
    seen: dict[str, Any] = {}
    handles = [tiny.spynet.register_forward_hook(lambda _m, _i, out: seen.update(flows=out))]
    for name in (f"stage{s}" for s in range(1, 8)):
        module = getattr(tiny, name)
        handles.append(
            module.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
        )
    last = tiny.stage8[-1]
    handles.append(last.register_forward_hook(lambda _m, _i, out: seen.update(stage8=out)))
    with torch.no_grad():
        seen["output"] = tiny(torch.from_numpy(reference["input"].astype(np.float32)))
    for handle in handles:
        handle.remove()
    return seen


def test_output(run: dict[str, Any], reference: Any) -> None:
    difference = run["output"] - torch.from_numpy(reference["output"])
    assert difference.abs().max() < 1e-4


@pytest.mark.parametrize("stage", range(1, 9))
def test_stage(run: dict[str, Any], reference: Any, stage: int) -> None:
    name = f"stage{stage}"
    features = run[name].permute(0, 4, 1, 2, 3)
    stride = 2 if stage in (1, 7, 8) else 1  # recorded at every second pixel
    assert relative_error(features[..., ::stride, ::stride], reference[f"tap/{name}"]) < 1e-3


@pytest.mark.parametrize("direction", ["backward", "forward"])
@pytest.mark.parametrize("scale", range(4))
def test_flow(run: dict[str, Any], reference: Any, direction: str, scale: int) -> None:
    flow = run["flows"][direction == "forward"][scale][0]
    flow = flow[..., ::2, ::2] if scale == 0 else flow
    assert relative_error(flow, reference[f"flows_{direction}/{scale}"]) < 1e-3


@pytest.mark.parametrize("size", ["7x72x88", "5x64x64"])
def test_sizes_off_the_window(tiny: VRT, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where rounding decides, as it does for a few pixels of 5x64x64.

    The pixels around pixel + flow are looked up by floor and ceil, which leap at whole numbers;
    on which side a flow falls that ends there within rounding differs between processors. One
    choice of sides has to give the official numbers.
    """
    extra = np.load(FIXTURES / "tiny_vrt_extra.npz")
    clip = torch.from_numpy(extra[f"in_{size}"]).float() / 255
    official = torch.from_numpy(extra[f"out_{size}"])
    sides = Sides()
    monkeypatch.setattr(warping, "corner_positions", sides.corners)

    def difference() -> float:
        sides.calls = 0
        with torch.no_grad():
            return float((tiny(clip) - official).abs().max())

    best = difference()
    for place in sides.doubtful if best >= 1e-4 else []:
        for step in (-ROUNDING, 0.0, ROUNDING):
            before = dict(sides.chosen)
            sides.chosen[place] = step
            now = difference()
            if now >= best:
                sides.chosen = before
            best = min(best, now)
    assert len(sides.doubtful) <= 4
    assert best < 1e-4


class Sides:
    """Looks up corners, at the places in `chosen` as if the flow ended so far off a whole number.

    A place is (number of the call, index into the flow); `doubtful` are those within rounding.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.doubtful: list[tuple[int, ...]] = []
        self.chosen: dict[tuple[int, ...], float] = {}

    def corners(self, flow_M2HW: torch.Tensor) -> Any:
        whole = flow_M2HW.round()  # pixel positions are whole numbers
        for index in ((flow_M2HW - whole).abs() < ROUNDING).nonzero().tolist():
            if (self.calls, *index) not in self.doubtful:
                self.doubtful.append((self.calls, *index))
        moved = flow_M2HW.clone()
        for (call, *index), step in self.chosen.items():
            if call == self.calls:
                moved[tuple(index)] = whole[tuple(index)] + step
        self.calls += 1
        return CORNER_POSITIONS(moved)


def test_gopro_state_dict() -> None:
    expected = json.loads((FIXTURES / "vrt_gopro_state_dict.json").read_text())
    with torch.device("meta"):
        model = VRT()
    state = model.state_dict()
    actual = {
        name: [list(value.shape), str(value.dtype).removeprefix("torch.")]
        for name, value in state.items()
    }
    assert len(actual) == 1526
    assert actual == expected
    assert sum(p.numel() for p in model.parameters()) == 18_320_007


def test_bfloat16_autocast_stays_close(tiny: VRT, reference: Any) -> None:
    clip = torch.from_numpy(reference["input"].astype(np.float32))[:, :3]
    with torch.no_grad():
        exact = tiny(clip)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = tiny(clip)
            flows = tiny.spynet(clip)
    assert flows[0][0].dtype == torch.float32
    assert (rounded - exact).square().mean().sqrt() < 0.02


def test_fusion_hook_identity_changes_nothing(make_tiny: Callable[..., VRT]) -> None:
    model = make_tiny()
    clip = torch.rand(1, 2, 3, 64, 64)
    seen = []

    def fuse(stage: int, x: torch.Tensor) -> torch.Tensor:
        seen.append((stage, tuple(x.shape)))
        return x

    with torch.no_grad():
        assert torch.equal(model(clip, fuse), model(clip))
    assert seen == [
        (1, (1, 2, 64, 64, 16)),
        (2, (1, 2, 32, 32, 16)),
        (3, (1, 2, 16, 16, 16)),
        (4, (1, 2, 8, 8, 16)),
    ]
