"""Speed and memory of one pass of a network, on made-up frames.

A network's pass is set against the rate at which the same machine convolves, so that the figure
says something about the network and not about the machine or about who else is using it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from spikedeblur.benchmarking.operations import (
    Convolution,
    conv3d_flop,
    operation_counter,
    seconds_of,
)
from spikedeblur.benchmarking.results import Result
from spikedeblur.errors import SpikedeblurError
from spikedeblur.machine.device import PRECISION_DTYPES, autocast, choose_precision, computes_bf16
from spikedeblur.machine.memory import give_back_freed, keep_freed, peak_rss_mb, reset_peak
from spikedeblur.metrics import frame_psnr
from spikedeblur.models.build import build_model
from spikedeblur.models.vrt_spike import VRTSpike
from spikedeblur.restoration.inference import is_out_of_memory
from spikedeblur.training.config import load_config
from spikedeblur.vocabulary import NETWORK

Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class PassResult(Result):
    """One network at one frame size in one precision; a pass restores a window of `frames`.

    seconds_per_frame is the median of the repeats. gflop_per_frame: 10^9 operations, a product
    and its sum being two. gflops: 10^9 operations a second. conv3d_gflops: those of a 64-channel
    3x3x3 convolution in the same precision, measured between the repeats; conv3d_fraction is of
    it. peak_growth_mb: memory that the pass needed on top of the network.
    speed_to_fp32, psnr_to_fp32: against the fp32 pass; None for that one.
    """

    network: str
    precision: str
    frames: int
    repeats: int
    seconds_per_frame_min: float
    seconds_per_frame_max: float
    gflop_per_frame: float
    gflops: float
    conv3d_gflops: float
    conv3d_fraction: float
    peak_growth_mb: float
    speed_to_fp32: float | None = None
    psnr_to_fp32: float | None = None


def fresh_network(config_name: str, device: torch.device) -> VRTSpike:
    """The network of a packaged name or YAML file with random weights, the same every time.

    Layers that start at zero get small weights too: their products would be exact in any precision.
    """
    config = load_config(config_name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_model(config.network)
        for parameter in model.parameters():
            if parameter.ndim > 1 and not parameter.any():
                nn.init.normal_(parameter, std=0.02)
    return model.to(device).eval()


@dataclass(frozen=True)
class SkippedPass:
    """A precision that was not measured, and why."""

    case: str
    network: str
    precision: str
    frames: int
    skipped: str
    method: str = NETWORK


def compared_precisions(name: str, device: torch.device) -> tuple[list[str], dict[str, str]]:
    """Precisions to measure, and those left out with the reason.

    fp32, and what it is to be compared with: `name`, or for auto the half precision there is; bf16
    only where the device computes it fast. Raises `UsageError` for a precision that the device
    does not have.
    """
    half = choose_precision(name, device)
    if name == "auto" and device.type != "cuda":
        half = "bf16"
        if not computes_bf16(device):
            return ["fp32"], {
                half: "this CPU has no instructions for bf16, which takes up to a "
                "hundred times longer than fp32; --precision bf16 measures it"
            }
    return list(dict.fromkeys(["fp32", half])), {}


def measure_pass(
    network: VRTSpike,
    name: str,
    size: Size,
    frames: int,
    *,
    precisions: Sequence[str] = ("fp32",),
    repeats: int = 3,
    warm_up: int = 1,
) -> list[PassResult]:
    """Time passes over one window of `frames` frames of (width, height), for each precision.

    Wall time. On a machine that others use as well, seconds vary by half; so the precisions and
    the convolution take turns within every repeat, which lets a disturbance hit all of them, and
    medians are compared. Before them a pass counts the operations, and of each precision's
    `warm_up` passes the first, which is always made, shows the memory.
    Raises `SpikedeblurError` if a pass does not fit into memory.
    """
    inputs = made_up_window(network, size, frames)
    if inputs[0].device.type == "cpu":
        keep_freed()
    try:
        # Apart from the others: a linear layer needs more memory while it is taken apart to count.
        with torch.inference_mode(), operation_counter() as counter:
            network(*inputs)
        flop = counter.get_total_flops()
        trials = [_Trial(network, inputs, precision, flop) for precision in precisions]
        for trial in trials:
            trial.prepare(warm_up)
        for _ in range(repeats):
            for trial in trials:
                trial.repeat()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise SpikedeblurError(
            f"out of memory in one pass ({size[0]}x{size[1]}, {frames} frames) "
            "- give a smaller --size or fewer --frames"
        ) from None
    return [trial.result(name, size, trials) for trial in trials]


def made_up_window(network: VRTSpike, size: Size, frames: int) -> tuple[Tensor, Tensor | None]:
    """Frames (1, T, 3, H, W) and counts (1, T, K, H/2, W/2) of noise on the network's device.

    The spike plane has half the frame's size, as a spike camera beside a video camera has.
    """
    width, height = size
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand(1, frames, 3, height, width, generator=generator).to(device)
    if not network.uses_spikes:
        return rgb, None
    plane = max(height // 2, 1), max(width // 2, 1)
    mean = torch.full((1, frames, network.bins, *plane), 2.0)
    return rgb, torch.poisson(mean, generator=generator).to(device)


class _Trial:
    """One precision of a network, and the machine's convolution in that precision."""

    def __init__(
        self, network: VRTSpike, inputs: tuple[Tensor, Tensor | None], precision: str, flop: int
    ) -> None:
        self.precision = precision
        self._flop = flop
        self._network, self._inputs = network, inputs
        self._device = inputs[0].device
        self._seconds: list[float] = []
        self._conv_seconds: list[float] = []
        self._convolve = Convolution(self._device, PRECISION_DTYPES[precision])

    def prepare(self, warm_up: int) -> None:
        """Make `warm_up` passes, the first of which (always made) shows the memory."""
        self._growth_mb = peak_growth_mb(self._pass, self._device)
        self._peak_mb = peak_rss_mb()
        for _ in range(warm_up - 1):
            self._pass()

    def repeat(self) -> None:
        """Time one pass, and the convolution right before and after it."""
        self._conv_seconds.append(seconds_of(self._convolve, self._device))
        self._seconds.append(seconds_of(self._pass, self._device))
        self._conv_seconds.append(seconds_of(self._convolve, self._device))

    def result(self, name: str, size: Size, trials: Sequence[_Trial]) -> PassResult:
        """The figures; against the trial in fp32 if there is one among `trials`."""
        frames = self._inputs[0].shape[1]
        seconds = median(self._seconds)
        rate, conv_rate = self._flop / seconds, conv3d_flop() / median(self._conv_seconds)
        full = next((trial for trial in trials if trial.precision == "fp32"), None)
        compared = full is not None and full is not self
        return PassResult(
            case=f"{size[0]}x{size[1]}",
            method=NETWORK,
            psnr=None,
            ssim=None,
            temporal=None,
            seconds_per_frame=seconds / frames,
            peak_rss_mb=round(self._peak_mb, 1),
            network=name,
            precision=self.precision,
            frames=frames,
            repeats=len(self._seconds),
            seconds_per_frame_min=min(self._seconds) / frames,
            seconds_per_frame_max=max(self._seconds) / frames,
            gflop_per_frame=self._flop / frames / 1e9,
            gflops=rate / 1e9,
            conv3d_gflops=conv_rate / 1e9,
            conv3d_fraction=rate / conv_rate,
            peak_growth_mb=round(self._growth_mb, 1),
            speed_to_fp32=median(full._seconds) / seconds if full and compared else None,
            psnr_to_fp32=_psnr(self._out, full._out) if full and compared else None,
        )

    def _pass(self) -> None:
        with torch.inference_mode(), autocast(self.precision, self._device):
            self._out = self._network(*self._inputs)


def _psnr(out: Tensor, reference: Tensor) -> float:
    return float(frame_psnr(out[0].float(), reference[0].float()).mean())


def peak_growth_mb(run: Callable[[], None], device: torch.device) -> float:
    """By how much `run` raises the memory in use at its highest, in MB of 10^6 bytes."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6
    give_back_freed()  # what earlier passes left would be taken first and hide the growth
    reset_peak()
    before_mb = peak_rss_mb()
    run()
    return peak_rss_mb() - before_mb
