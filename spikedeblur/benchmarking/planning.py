"""Plans of a benchmark: methods with their settings, cases, passes of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spikedeblur.benchmarking.cases import Workload, bundled_case, find_cases
from spikedeblur.benchmarking.made_up import MadeUp, write_clip
from spikedeblur.benchmarking.published import published_sequences
from spikedeblur.benchmarking.setups import Setup, parse_methods, vary
from spikedeblur.benchmarking.speed import (
    SkippedPass,
    compared_precisions,
    fresh_network,
    measure_pass,
)
from spikedeblur.benchmarking.summary import machine
from spikedeblur.errors import UsageError
from spikedeblur.machine.device import choose_device
from spikedeblur.machine.threads import use_threads
from spikedeblur.models.checkpoint import load_model
from spikedeblur.vocabulary import NETWORK

PASS_SIZES = ((640, 360),)  # of frames for the network alone, unless others are given
SPEED_SIZES = ((160, 96), (320, 192), (640, 360))  # of frames from which the growth is told


def plan_setups(
    methods: str | None,
    weights: str | None,
    *,
    speed: bool,
    device: str,
    precisions: Sequence[str],
    threads: Sequence[int],
    tiles: Sequence[int | None],
) -> tuple[list[Setup], list[str]]:
    """Return every combination to measure, and the methods left out.

    speed: on made-up frames, which come with counts alone and leave some methods nothing to do.
    Raises what `parse_methods` does, and `UsageError` if no method is left.
    """
    setups = parse_methods(methods or ("sdm,net" if speed else "blurry,sdm,net"), weights)
    left_out = [setup.method for setup in setups if speed and not setup.is_timeable]
    setups = [setup for setup in setups if not speed or setup.is_timeable]
    if not setups:
        raise UsageError("no method is left to time - give --methods sdm,net")
    varied = vary(
        setups,
        device=device,
        precisions=precisions,
        threads=threads or (None,),
        tiles=tiles or (None,),
    )
    return varied, left_out


def plan_workloads(
    cases: Sequence[Path], sizes: Sequence[tuple[int, int]], scratch: Path, *, speed: bool
) -> list[Workload]:
    """Return made-up frames of each size for speed; else the cases, or the bundled sample.

    A folder of a published layout stands for its test part. What has to be recorded lies in the
    folder `scratch`.
    """
    jobs: list[Workload] = []
    if speed:
        for size in sorted(set(sizes or SPEED_SIZES)):
            jobs.append(MadeUp(size, clip=write_clip(scratch / "{}x{}".format(*size), size)))
        return jobs
    for folder in cases:
        jobs += published_sequences(folder) or find_cases([folder])
    return jobs or [bundled_case(scratch / "sample")]


def check_alone(
    speed: bool,
    methods: str | None,
    weights: str | None,
    config: str | None,
    threads: Sequence[int],
    tiles: Sequence[int | None],
) -> None:
    """Raise `UsageError` for options that passes of the network alone have no use for."""
    if not speed:
        raise UsageError("--frames and --config are for timing the network - give --speed too")
    if methods not in (None, NETWORK):
        raise UsageError(
            f"--frames and --config time the network alone (--methods {methods}) - "
            "leave --methods out"
        )
    if weights is not None and config is not None:
        raise UsageError("--config has random weights (--weights given) - give one of the two")
    if len(threads) > 1 or tiles:
        raise UsageError(
            "--frames and --config time one pass over whole frames - leave --tile out "
            "and give --threads once"
        )


def measure_passes(
    weights: str | None,
    config: str | None,
    sizes: Sequence[tuple[int, int]],
    frames: int | None,
    *,
    device: str,
    precisions: Sequence[str],
    threads: int | None,
    repeats: int,
    warm_up: int,
) -> dict[str, Any]:
    """Return the machine, and a row for each size and precision, measured or not.

    config: of a network with random weights; None for `weights`. frames: of the window, by default
    the network's.
    """
    chosen = choose_device(device)
    measured: dict[str, None] = {}
    skipped: dict[str, str] = {}
    for precision in precisions:
        compared, left_out = compared_precisions(precision, chosen)
        measured |= dict.fromkeys(compared)
        skipped |= left_out
    use_threads(threads)
    network = fresh_network(config, chosen) if config else load_model(weights, chosen)
    window = frames or network.window
    name = config or weights or "shipped"
    rows: list[dict[str, Any]] = []
    for size in sizes or PASS_SIZES:
        passes = measure_pass(
            network, name, size, window, precisions=list(measured), repeats=repeats, warm_up=warm_up
        )
        rows += [asdict(each) for each in passes]
        rows += [
            asdict(SkippedPass(f"{size[0]}x{size[1]}", name, precision, window, reason))
            for precision, reason in skipped.items()
            if precision not in measured
        ]
    return {"machine": machine(chosen), "cases": rows}
