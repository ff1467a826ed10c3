"""What the speed figures are made of: counted operations, memory, rates, precisions."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
import torch

from spikedeblur.benchmarking import speed
from spikedeblur.benchmarking.operations import operation_counter
from spikedeblur.errors import ConfigError, SpikedeblurError, UsageError
from spikedeblur.models.build import build_model
from spikedeblur.training.config import load_config

TINY = [
    "MODEL.CHANNELS_PER_SCALE=[8, 8, 8, 8]",
    f"MODEL.VRT.EMBED_DIMS={[8] * 11}",
    f"MODEL.VRT.DEPTHS={[1] * 11}",
]
CPU = torch.device("cpu")


SMALL_CONVOLUTION = "spikedeblur.benchmarking.operations.CONV_SHAPE", (2, 16, 2, 8, 8)


@pytest.fixture(autouse=True)
def small_convolution(monkeypatch):
    """The machine's rate is not what is tested here."""
    monkeypatch.setattr(*SMALL_CONVOLUTION)


@pytest.fixture(scope="module")
def network():
    config = load_config("small", TINY)
    torch.manual_seed(0)
    return build_model(config.network).eval()


@pytest.fixture(scope="module")
def results():
    """Of one network in both precisions."""
    config = load_config("small", TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*SMALL_CONVOLUTION)
        patch.setattr(speed, "load_config", lambda name: config)
        network = speed.fresh_network("tiny", CPU)
        return speed.measure_pass(network, "tiny", (48, 32), 3, precisions=("fp32", "bf16"))


def test_operations_grow_with_the_pixels(network):
    def flop(width: int) -> int:
        with torch.inference_mode(), operation_counter() as counter:
            network(*speed.made_up_window(network, (width, 64), 5))
        return counter.get_total_flops()

    small, large = flop(64), flop(128)
    # A larger plane has a level more in the pyramid that the path is sought on.
    assert large == pytest.approx(2 * small, rel=0.06)


class TestPass:
    def test_figures_are_finite_and_agree_with_one_another(self, results):
        for result in results:
            numbers = [value for value in asdict(result).values() if isinstance(value, float)]
            assert all(math.isfinite(number) for number in numbers)
            assert (result.case, result.frames, result.network) == ("48x32", 3, "tiny")
            assert 0 < result.conv3d_fraction < 2
            assert (
                0
                < result.seconds_per_frame_min
                <= result.seconds_per_frame
                <= result.seconds_per_frame_max
            )
            assert result.gflops * result.seconds_per_frame == pytest.approx(result.gflop_per_frame)
            assert result.conv3d_fraction * result.conv3d_gflops == pytest.approx(result.gflops)

    def test_half_precision_is_compared_with_full(self, results):
        full, half = results
        assert (full.precision, full.speed_to_fp32, full.psnr_to_fp32) == ("fp32", None, None)
        assert half.precision == "bf16" and half.gflop_per_frame == full.gflop_per_frame
        assert half.speed_to_fp32 == pytest.approx(full.seconds_per_frame / half.seconds_per_frame)
        # Equal outputs would show that layers which start at zero had stayed zero.
        assert 30 < half.psnr_to_fp32 < 90

    def test_a_size_smaller_than_the_network_s_windows(self, network):
        [found] = speed.measure_pass(network, "tiny", (8, 8), 2)
        assert found.case == "8x8" and found.seconds_per_frame > 0

    def test_want_of_memory_is_said_in_one_line(self, network, monkeypatch):
        def fail(*_):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 1 TB")

        monkeypatch.setattr(network, "forward", fail)
        with pytest.raises(SpikedeblurError, match=r"out of memory .*64x32, 2 frames.* - give"):
            speed.measure_pass(network, "tiny", (64, 32), 2)


def test_fresh_weights_are_random_and_the_same_every_time(monkeypatch):
    monkeypatch.setattr(speed, "load_config", lambda name: load_config(name, TINY))
    first, second = (speed.fresh_network("small", CPU).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(ConfigError, match="magic"):
        speed.fresh_network("magic", CPU)


@pytest.mark.parametrize(
    ("name", "has_bf16", "expected", "skipped"),
    [
        ("auto", True, ["fp32", "bf16"], []),
        ("auto", False, ["fp32"], ["bf16"]),
        ("fp32", True, ["fp32"], []),
        ("fp32", False, ["fp32"], []),
        ("bf16", True, ["fp32", "bf16"], []),
        ("bf16", False, ["fp32", "bf16"], []),
    ],
)
def test_precisions_that_are_compared(name, has_bf16, expected, skipped, monkeypatch):
    monkeypatch.setattr(speed, "computes_bf16", lambda device: has_bf16)
    measured, left_out = speed.compared_precisions(name, CPU)
    assert measured == expected and list(left_out) == skipped


def test_a_precision_the_device_lacks():
    with pytest.raises(UsageError, match="fp16 is for CUDA"):
        speed.compared_precisions("fp16", CPU)


def test_growth_is_what_was_held_at_once():
    def hold():
        for _ in range(3):
            np.ones(20_000_000 // 8).sum()

    assert 15 < speed.peak_growth_mb(hold, CPU) < 30
