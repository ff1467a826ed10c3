"""spikedeblur benchmark: quality, speed and memory as a table or JSON."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from spikedeblur.cli.console import Console
from spikedeblur.cli.options import compute_options
from spikedeblur.cli.values import SIZE
from spikedeblur.errors import UsageError

if TYPE_CHECKING:
    from spikedeblur.benchmark import Result
    from spikedeblur.pipeline import Deblurrer

METHODS = ("blurry", "sdm", "tfp", "tfi", "net")


@click.command("benchmark")
@click.argument("cases", nargs=-1, metavar="[CASE_DIR]...", type=click.Path(path_type=Path))
@click.option("--methods", default="blurry,sdm,net", show_default=True, metavar="M,...",
              help=f"Some of {', '.join(METHODS)}.")
@click.option("--weights", metavar="FILE|NAME", help="[default: those shipped with the program]")
@click.option("--speed", is_flag=True, help="Time made-up frames instead of cases.")
@click.option("--size", "sizes", type=SIZE, multiple=True,
              help="Frame size for --speed; repeatable.  [default: 640x360]")
@click.option("--repeats", type=click.IntRange(min=1), default=10, show_default=True, metavar="N",
              help="Frames timed by --speed.")
@click.option("--warm-up", type=click.IntRange(min=0), default=5, show_default=True, metavar="N",
              help="Frames run before them.")
@compute_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--html", type=click.Path(path_type=Path), metavar="REPORT",
              help="Also write a report.")
@click.pass_context
def command(context: click.Context, *, cases: tuple[Path, ...], methods: str, weights: str | None,
            speed: bool, sizes: tuple[tuple[int, int], ...], repeats: int, warm_up: int,
            device: str, precision: str, threads: int | None, as_json: bool,
            html: Path | None) -> None:
    """Measure methods on each CASE_DIR (as simulate writes them), or on the bundled sample."""
    console: Console = context.obj
    if html is not None:
        raise UsageError("--html is not available yet - use --json")
    names = _methods(methods, speed)
    from spikedeblur.benchmark import Case, bundled_case, machine, measure, measure_speed
    from spikedeblur.pipeline import Deblurrer

    found = [Case.of_folder(folder) for folder in cases]
    if not speed and not found:
        scratch = context.with_resource(TemporaryDirectory(prefix="spikedeblur-"))
        found = [bundled_case(Path(scratch) / "sample")]
    deblurrers: dict[str, Deblurrer | None] = {
        name: None if name == "blurry" else Deblurrer(weights, method=name, device=device,
                                                      precision=precision, threads=threads)
        for name in names}
    results: list[Result] = []
    for name, deblurrer in deblurrers.items():
        if speed and deblurrer is not None:
            results += [measure_speed(name, deblurrer, size, frames=repeats, warm_up=warm_up)
                        for size in sizes or ((640, 360),)]
        elif not speed:
            results += [measure(case, name, deblurrer) for case in found]
    results.sort(key=lambda result: result.case)
    if as_json:
        console.json({"machine": machine(deblurrers.get("net")),
                      "cases": [result.as_json() for result in results]})
    else:
        _table(results)


def _methods(text: str, speed: bool) -> list[str]:
    names = [name for name in dict.fromkeys(text.split(",")) if name]
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise UsageError(f"unknown method ({', '.join(unknown) or text!r}) - give some of "
                         f"{','.join(METHODS)}")
    return [name for name in names if not (speed and name in ("blurry", "tfi"))]


def _table(results: list[Result]) -> None:
    from rich.console import Console as RichConsole
    from rich.table import Table

    table = Table("case", "method")
    for heading in ("PSNR dB", "SSIM", "temporal", "s/frame", "peak MB"):
        table.add_column(heading, justify="right")
    for result in results:
        figures: list[tuple[Any, str]] = [
            (result.psnr, ".2f"), (result.ssim, ".4f"), (result.temporal, ".4f"),
            (result.seconds_per_frame, ".3f"), (result.peak_rss_mb, ".0f")]
        table.add_row(result.case, result.method, *("" if value is None else format(value, form)
                                                    for value, form in figures))
    RichConsole().print(table)
