"""spikedeblur benchmark: quality, speed and memory as a table, JSON, or a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from spikedeblur.cli.command import Command
from spikedeblur.cli.completion import configurations, method_lists
from spikedeblur.cli.console import Console
from spikedeblur.cli.displays import progress_display
from spikedeblur.cli.options import (
    device_option,
    json_option,
    overwrite_option,
    progress_option,
    weights_option,
)
from spikedeblur.cli.progress import Progress
from spikedeblur.cli.tables import format_option, print_files_compared, print_passes, print_results
from spikedeblur.cli.values import SIZE, THREADS, TILE
from spikedeblur.restoration.methods import METHODS
from spikedeblur.vocabulary import BLURRY, NETWORK, PRECISIONS

if TYPE_CHECKING:
    from spikedeblur.benchmarking.cases import Workload
    from spikedeblur.benchmarking.kept import KeptResults
    from spikedeblur.benchmarking.results import MethodResult
    from spikedeblur.benchmarking.runs import Plan
    from spikedeblur.benchmarking.setups import Setup
    from spikedeblur.report.gallery import Gallery


@click.command("benchmark", cls=Command)
@click.argument("cases", nargs=-1, metavar="[CASE_DIR]...", type=click.Path(path_type=Path))
@click.option(
    "--methods",
    metavar="M,...",
    shell_complete=method_lists,
    help=f"Some of {', '.join((BLURRY, *METHODS, NETWORK))}, sdm:FRACTION (its window "
    "as a part of the exposure), weights files, and finished videos, in whose names {case} "
    "stands for the case's.  [default: blurry,sdm,net]",
)
@weights_option
@click.option(
    "--speed",
    is_flag=True,
    help="Time made-up frames instead of cases: restoring alone, and a made-up clip from file to "
    "file, beside the machine's rate of convolution.",
)
@click.option(
    "--size",
    "sizes",
    type=SIZE,
    multiple=True,
    help="Frame size for --speed; repeatable.  [default: 160x96, 320x192 and 640x360; of the "
    "network alone 640x360]",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    metavar="T",
    help="--speed of the network alone: passes over one window of T whole frames, in fp32"
    " and in half precision, set against the machine's rate of convolution.",
)
@click.option(
    "--config",
    metavar="NAME|FILE",
    shell_complete=configurations,
    help="The same for a network of this configuration with random weights; T is then "
    "its window, unless --frames says otherwise.",
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    metavar="N",
    help="Runs, whose median counts.  [default: 3, fewer where they take over 10 s]",
)
@click.option(
    "--warm-up",
    type=click.IntRange(min=0),
    metavar="N",
    help="Frames restored before, timed apart; for the network alone, passes.  "
    "[default: 5 frames or 1 pass]",
)
@device_option
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    default=["auto"],
    show_default=True,
    type=click.Choice(["auto", *PRECISIONS]),
    help="Numbers the network computes with; repeatable.",
)
@click.option(
    "--tile",
    "tiles",
    type=TILE,
    multiple=True,
    help="Side of the network's tiles in pixels; repeatable.  [default: auto]",
)
@click.option(
    "--threads",
    type=THREADS,
    multiple=True,
    metavar="N",
    help="CPU threads; repeatable.  [default: all cores]",
)
@click.option(
    "--isolate/--no-isolate",
    default=True,
    show_default=True,
    help="Run each method in its own process, so that its memory is measured alone.",
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write each result into this file at once; what it holds is not measured again.",
)
@click.option(
    "--compare",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="A.json B.json",
    help="Measure nothing: print what B has over A, two files of --json, and which times changed "
    "by more than the runs of both spread, per rate of convolution where both have one.",
)
@format_option
@json_option("One JSON object on stdout.")
@progress_option
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="REPORT",
    help="Also write a page with tables, plots and pictures.",
)
@overwrite_option
@click.pass_context
def command(
    context: click.Context,
    *,
    cases: tuple[Path, ...],
    methods: str | None,
    weights: str | None,
    speed: bool,
    sizes: tuple[tuple[int, int], ...],
    frames: int | None,
    config: str | None,
    repeats: int | None,
    warm_up: int | None,
    device: str,
    precisions: tuple[str, ...],
    tiles: tuple[int | None, ...],
    threads: tuple[int, ...],
    isolate: bool,
    keep: Path | None,
    compare: tuple[Path, Path] | None,
    form: str,
    as_json: bool,
    progress: str,
    html: Path | None,
    overwrite: bool,
) -> None:
    """Measure quality, speed and memory of each method.

    Cases are folders as simulate writes them, or folders of those, or published sets, of which the
    test part is measured; without any, the bundled sample is.
    """
    console: Console = context.obj
    form = "json" if as_json else form
    if compare:
        print_files_compared(console, *compare, form)
        return
    if html is not None:
        from spikedeblur.io.atomic import check_output

        check_output(html, overwrite)  # before minutes are spent on what could not be written
    from spikedeblur.benchmarking.planning import (
        check_alone,
        measure_passes,
        plan_setups,
        plan_workloads,
    )

    if frames or config:
        check_alone(speed, methods, weights, config, threads, tiles)
        found = measure_passes(
            weights,
            config,
            sizes,
            frames,
            device=device,
            precisions=precisions,
            threads=threads[0] if threads else None,
            repeats=repeats or 3,
            warm_up=1 if warm_up is None else warm_up,
        )
        _report(console, found, None, html, overwrite, form)
        return
    from spikedeblur.benchmarking.kept import KeptResults
    from spikedeblur.benchmarking.published import check_methods
    from spikedeblur.benchmarking.runs import Plan
    from spikedeblur.benchmarking.setups import check_finished
    from spikedeblur.benchmarking.summary import summary

    setups, left_out = plan_setups(
        methods,
        weights,
        speed=speed,
        device=device,
        precisions=precisions,
        threads=threads,
        tiles=tiles,
    )
    if left_out:
        console.note(
            f"--speed leaves out {', '.join(left_out)}: made-up frames have nothing for it to do"
        )
    scratch = context.with_resource(TemporaryDirectory(prefix="spikedeblur-"))
    jobs = plan_workloads(cases, sizes, Path(scratch), speed=speed)
    check_methods([setup.kind for setup in setups], jobs)
    check_finished(setups, jobs)
    plan = Plan(5 if warm_up is None else warm_up, repeats)
    kept = None if keep is None else KeptResults(keep)
    gallery = None
    if html is not None:
        from spikedeblur.report.gallery import Gallery

        gallery = Gallery(jobs)
    with progress_display(progress, "measured", quiet=console.quiet, unit="runs") as display:
        results = _measure_all(setups, jobs, plan, isolate, kept, gallery, display)
    _report(console, summary(results, setups, plan, isolate), gallery, html, overwrite, form)


def _measure_all(
    setups: Sequence[Setup],
    jobs: Sequence[Workload],
    plan: Plan,
    isolate: bool,
    kept: KeptResults | None,
    gallery: Gallery | None,
    display: Progress,
) -> list[MethodResult]:
    """A result for each job and setup, ordered by job."""
    from spikedeblur.benchmarking.kept import measure_kept

    watch = gallery.watch if gallery is not None else None
    found: list[tuple[int, MethodResult]] = []
    for setup in setups:
        display.note = setup.method
        display.advance_to(len(found), len(setups) * len(jobs))
        run = measure_kept(setup, jobs, plan, isolated=isolate, kept=kept, watch=watch)
        for pair in enumerate(run):
            found.append(pair)
            display.advance_to(len(found), len(setups) * len(jobs))
    return [result for _, result in sorted(found, key=lambda pair: pair[0])]


def _report(
    console: Console,
    found: dict[str, Any],
    gallery: Gallery | None,
    html: Path | None,
    overwrite: bool,
    form: str,
) -> None:
    """Say what was found in every form that was asked for."""
    if form == "json":
        console.json(found)
    elif "means" in found:
        print_results(found["cases"], found["means"], form, found.get("growth", ()))
    else:
        print_passes(found["cases"], form)
    if html is not None:
        from spikedeblur.io.atomic import atomic_path
        from spikedeblur.report.page import render

        with atomic_path(html, overwrite) as path:
            path.write_text(
                render(found, gallery.shots if gallery else (), gallery.left_out if gallery else 0),
                encoding="utf-8",
            )
        console.note(f"{html}: written")
