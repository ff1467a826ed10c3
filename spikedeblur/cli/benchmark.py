"""spikedeblur benchmark: quality, speed and memory as a table or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from spikedeblur.cli.console import Console
from spikedeblur.cli.options import compute_options
from spikedeblur.cli.values import SIZE
from spikedeblur.errors import UsageError

if TYPE_CHECKING:
    from spikedeblur.benchmark import Result
    from spikedeblur.pipeline import Deblurrer
    from spikedeblur.speed import SkippedPass

METHODS = ("blurry", "sdm", "tfp", "tfi", "net")
WIDTH = 110  # columns, in which the widest table stays whole
Size = tuple[int, int]
Column = tuple[str, str, str]  # heading, field of the result, format

QUALITY: tuple[Column, ...] = (
    ("case", "case", ""), ("method", "method", ""), ("PSNR dB", "psnr", ".2f"),
    ("SSIM", "ssim", ".4f"), ("temporal", "temporal", ".4f"),
    ("s/frame", "seconds_per_frame", ".3f"), ("peak MB", "peak_rss_mb", ".0f"))
PASSES: tuple[Column, ...] = (
    ("size", "case", ""), ("precision", "precision", ""), ("s/frame", "seconds_per_frame", ".3f"),
    ("min", "seconds_per_frame_min", ".3f"), ("max", "seconds_per_frame_max", ".3f"),
    ("GFLOP/frame", "gflop_per_frame", ".1f"), ("GFLOP/s", "gflops", ".0f"),
    ("conv3d", "conv3d_gflops", ".0f"), ("of it", "conv3d_fraction", ".0%"),
    ("growth MB", "peak_growth_mb", ".0f"), ("to fp32", "speed_to_fp32", ".2fx"),
    ("PSNR dB", "psnr_to_fp32", ".1f"))


@click.command("benchmark")
@click.argument("cases", nargs=-1, metavar="[CASE_DIR]...", type=click.Path(path_type=Path))
@click.option("--methods", metavar="M,...",
              help=f"Some of {', '.join(METHODS)}.  [default: blurry,sdm,net]")
@click.option("--weights", metavar="FILE|NAME",
              help="Weights of the network.  [default: those shipped with the program]")
@click.option("--speed", is_flag=True,
              help="Time made-up frames instead of cases, windows and tiles as in deblur.")
@click.option("--size", "sizes", type=SIZE, multiple=True,
              help="Frame size for --speed; repeatable.  [default: 640x360]")
@click.option("--frames", type=click.IntRange(min=1), metavar="T",
              help="--speed of the network alone: passes over one window of T whole frames, in fp32"
                   " and in half precision, set against the machine's rate of convolution.")
@click.option("--config", metavar="NAME|FILE",
              help="The same with random weights for this configuration.  [T: its window]")
@click.option("--repeats", type=click.IntRange(min=1), metavar="N",
              help="How many --speed times.  [default: 10 frames or 3 passes]")
@click.option("--warm-up", type=click.IntRange(min=0), metavar="N",
              help="How many run before them.  [default: 5 frames or 1 pass]")
@compute_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--html", type=click.Path(path_type=Path), metavar="REPORT",
              help="Also write a report.")
@click.pass_context
def command(context: click.Context, *, cases: tuple[Path, ...], methods: str | None,
            weights: str | None, speed: bool, sizes: tuple[Size, ...], frames: int | None,
            config: str | None, repeats: int | None, warm_up: int | None, device: str,
            precision: str, threads: int | None, as_json: bool, html: Path | None) -> None:
    """Measure quality, speed and memory of each method.

    Cases are folders as simulate writes them; without any, the bundled sample is measured.
    """
    console: Console = context.obj
    if html is not None:
        raise UsageError("--html is not available yet - use --json")
    alone = bool(frames or config)
    names = _methods(methods or ("net" if alone else "blurry,sdm,net"), speed)
    if alone:
        _check_alone(speed, names, weights, config)
    from spikedeblur.benchmark import machine
    from spikedeblur.device import choose_device

    results: Sequence[Result | SkippedPass]
    if alone:
        results = _passes(weights, config, sizes or ((640, 360),), frames, device=device,
                          precision=precision, threads=threads, repeats=3 if repeats is None
                          else repeats, warm_up=1 if warm_up is None else warm_up)
    else:
        from spikedeblur.pipeline import Deblurrer

        deblurrers = {name: None if name == "blurry" else
                      Deblurrer(weights, method=name, device=device, precision=precision,
                                threads=threads)
                      for name in names}
        if speed:
            results = _speeds(deblurrers, sizes or ((640, 360),), repeats or 10,
                              5 if warm_up is None else warm_up)
        else:
            results = _qualities(context, cases, deblurrers)
    if as_json:
        used = choose_device(device) if "net" in names else "cpu"
        console.json({"machine": machine(used), "cases": [asdict(result) for result in results]})
    else:
        _table(results, PASSES if alone else QUALITY)


def _methods(text: str, speed: bool) -> list[str]:
    names = [name for name in dict.fromkeys(text.split(",")) if name]
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise UsageError(f"unknown method ({', '.join(unknown) or text!r}) - give some of "
                         f"{','.join(METHODS)}")
    return [name for name in names if not (speed and name in ("blurry", "tfi"))]


def _check_alone(speed: bool, names: list[str], weights: str | None, config: str | None) -> None:
    if not speed:
        raise UsageError("--frames and --config are for timing the network - give --speed too")
    if names != ["net"]:
        raise UsageError(f"--frames and --config time the network alone (--methods "
                         f"{','.join(names)}) - leave --methods out")
    if weights is not None and config is not None:
        raise UsageError("--config has random weights (--weights given) - give one of the two")


def _passes(weights: str | None, config: str | None, sizes: Sequence[Size], frames: int | None, *,
            device: str, precision: str, threads: int | None, repeats: int, warm_up: int
            ) -> list[Result | SkippedPass]:
    """One row for each size and precision, measured or not."""
    import torch

    from spikedeblur.device import choose_device
    from spikedeblur.models.checkpoint import load_model
    from spikedeblur.speed import SkippedPass, compared_precisions, fresh_network, measure_pass

    chosen = choose_device(device)
    precisions, skipped = compared_precisions(precision, chosen)
    if threads is not None:
        torch.set_num_threads(threads)
    network = fresh_network(config, chosen) if config else load_model(weights, chosen)
    window = frames or network.config.DATA.CLIP_LEN
    name = config or weights or "shipped"
    rows: list[Result | SkippedPass] = []
    for size in sizes:
        rows += measure_pass(network, name, size, window, precisions=precisions, repeats=repeats,
                             warm_up=warm_up)
        rows += [SkippedPass(f"{size[0]}x{size[1]}", name, unmeasured, window, reason)
                 for unmeasured, reason in skipped.items()]
    return rows


def _speeds(deblurrers: dict[str, Deblurrer | None], sizes: Sequence[Size], frames: int,
            warm_up: int) -> list[Result]:
    from spikedeblur.speed import measure_method

    return [measure_method(name, deblurrer, size, frames=frames, warm_up=warm_up)
            for size in sorted(sizes) for name, deblurrer in deblurrers.items()
            if deblurrer is not None]


def _qualities(context: click.Context, cases: Sequence[Path],
               deblurrers: dict[str, Deblurrer | None]) -> list[Result]:
    from spikedeblur.benchmark import Case, bundled_case, measure

    found = [Case.of_folder(folder) for folder in cases]
    if not found:
        scratch = context.with_resource(TemporaryDirectory(prefix="spikedeblur-"))
        found = [bundled_case(Path(scratch) / "sample")]
    results = [measure(case, name, deblurrer)
               for name, deblurrer in deblurrers.items() for case in found]
    return sorted(results, key=lambda result: result.case)


def _table(results: Sequence[Result | SkippedPass], columns: Sequence[Column]) -> None:
    from rich.console import Console as RichConsole
    from rich.table import Table

    console = RichConsole()
    console.width = max(console.width, WIDTH)
    table = Table()
    for heading, _, form in columns:
        table.add_column(heading, justify="right" if form else "left")
    for result in results:
        values = ((getattr(result, field, None), form) for _, field, form in columns)
        table.add_row(*("" if value is None else format(value, form.removesuffix("x"))
                        + "x" * form.endswith("x") for value, form in values))
    console.print(table)
    reasons = {getattr(result, "precision", ""): reason for result in results
               if (reason := getattr(result, "skipped", None))}
    for precision, reason in reasons.items():
        console.print(f"{precision} was not measured: {reason}", highlight=False, soft_wrap=True)
