"""Tables of `benchmark` and `score` on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from spikedeblur.benchmarking.columns import Column, Row
    from spikedeblur.benchmarking.comparison import Comparison
    from spikedeblur.benchmarking.scoring import VideoScore
    from spikedeblur.cli.console import Console

    _Shown = tuple[str, Sequence[Row], Sequence[Column]]  # title, rows, columns

AUTO, MARKDOWN, CSV = "auto", "md", "csv"
TABLE_FORMS = (AUTO, MARKDOWN, CSV, "json")
format_option = click.option(
    "--format",
    "form",
    type=click.Choice(TABLE_FORMS),
    default=AUTO,
    show_default=True,
    help="Of the tables; auto: with lines on a terminal, plain columns elsewhere.",
)

# What a narrow terminal has to do without, in turn.
LEAST_TOLD = (
    "end_to_end_seconds_per_frame_min",
    "end_to_end_seconds_per_frame_max",
    "seconds_per_frame_min",
    "seconds_per_frame_max",
    "end_to_end_peak_rss_mb",
    "first_spread",
    "second_spread",
    "ssim_y",
    "psnr_y",
    "first_frame_seconds",
    "temporal",
)


def print_results(
    rows: Sequence[Row], means: Sequence[Row], form: str = AUTO, growth: Sequence[Row] = ()
) -> None:
    """One table of the cases, one of the means and one of the growth where there are any.

    form: auto, md or csv, as of all tables here.
    """
    from spikedeblur.benchmarking import columns

    named = columns.of_groups(means)
    tables = (
        ("", rows, columns.RESULT_COLUMNS),
        ("Means over cases", named, columns.MEANS_COLUMNS),
        ("Time grows as pixels to the power of", growth, columns.GROWTH_COLUMNS),
    )
    _print(
        [(title, each, columns.telling(wanted, each)) for title, each, wanted in tables if each],
        form,
    )


def print_scores(scores: Sequence[VideoScore], worst: int) -> None:
    """One table of the results, and for each of them one of its `worst` frames."""
    from spikedeblur.benchmarking.columns import FRAME_COLUMNS, SCORE_COLUMNS, telling

    rows = [{**each.as_json(), "count": len(each.frames)} for each in scores]
    tables: list[_Shown] = [("", rows, telling(SCORE_COLUMNS, rows))]
    for each in scores if worst else ():
        frames = each.frames[:worst]
        tables.append((f"Worst frames of {each.result}", frames, telling(FRAME_COLUMNS, frames)))
    _print(tables)


def print_passes(rows: Sequence[Row], form: str = AUTO) -> None:
    """The table of `--speed` of the network alone, and why what is missing is missing."""
    from spikedeblur.benchmarking.columns import PASS_COLUMNS

    console = _print([("", rows, PASS_COLUMNS)], form)
    if form != AUTO:
        return
    reasons = {row["precision"]: row["skipped"] for row in rows if row.get("skipped")}
    for precision, reason in reasons.items():
        console.print(f"{precision} was not measured: {reason}", highlight=False, soft_wrap=True)


def print_comparison(comparison: Comparison, first: str, second: str, form: str = AUTO) -> None:
    """The table of ratios, one of the times that changed, and what only one of the two has."""
    from spikedeblur.benchmarking.columns import CHANGE_COLUMNS, RATIO_COLUMNS, telling
    from spikedeblur.cli.console import printable

    rows, changes = comparison.rows, comparison.changes
    tables: list[_Shown] = [
        (f"{second} over {first}; PSNR as the difference", rows, telling(RATIO_COLUMNS, rows))
    ]
    if changes:
        title = "Changed by more than the runs of both spread"
        tables.append((title, changes, telling(CHANGE_COLUMNS, changes)))
    console = _print(tables, form)
    if form != AUTO:
        return
    lines = [] if changes else ["no time changed by more than the runs of both spread"]
    lines += [f"one run, so noise is unknown: {what}" for what in comparison.untold]
    lines += [f"only in {first}: {what}" for what in comparison.only_in_first]
    lines += [f"only in {second}: {what}" for what in comparison.only_in_second]
    for line in lines:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def print_files_compared(console: Console, first: Path, second: Path, form: str) -> None:
    """What the second of two files of `benchmark --json` has over the first."""
    from dataclasses import asdict

    from spikedeblur.benchmarking.comparison import compare, read_benchmark

    found = compare(read_benchmark(first), read_benchmark(second))
    if form == "json":
        console.json({"first": str(first), "second": str(second), **asdict(found)})
    else:
        print_comparison(found, str(first), str(second), form)


def _print(tables: Sequence[_Shown], form: str = AUTO) -> Any:
    """Tables (title, rows, columns) one below the other, as wide as a terminal has room for.

    Elsewhere they are plain columns. Others than auto are whole, however wide.
    """
    from rich.console import Console

    console = Console()
    if form != AUTO:
        write = _write_csv if form == CSV else _write_markdown
        for number, (title, rows, columns) in enumerate(tables):
            write(title, rows, columns, first=number == 0)
        return console
    room = console.width if console.is_terminal else sys.maxsize
    left_out: dict[str, None] = {}
    for title, rows, columns in tables:
        kept = _fitting(columns, rows, room)
        console.width = max(console.width, _width(kept, rows))
        console.print(_table(title, rows, kept, plain=not console.is_terminal))
        left_out |= dict.fromkeys(column[0] for column in columns if column not in kept)
    if left_out:
        console.print(
            f"left out for want of room: {', '.join(left_out)} (a wider terminal and "
            "--json have them)",
            highlight=False,
            soft_wrap=True,
        )
    return console


def _fitting(columns: Sequence[Column], rows: Sequence[Row], room: int) -> list[Column]:
    """Leave out the least important of `columns` until a table fits `room` characters."""
    kept = list(columns)
    for field in LEAST_TOLD:
        if _width(kept, rows) > room:
            kept = [column for column in kept if column[1] != field]
    return kept


def _width(columns: Sequence[Column], rows: Sequence[Row]) -> int:
    """Characters of a table's line: each cell has a blank on either side and a border."""
    from rich.cells import cell_len

    from spikedeblur.benchmarking.columns import cell
    from spikedeblur.cli.console import printable

    return 1 + sum(
        3
        + max(
            cell_len(text) for text in (column[0], *(printable(cell(row, column)) for row in rows))
        )
        for column in columns
    )


def _write_csv(title: str, rows: Sequence[Row], columns: Sequence[Column], first: bool) -> None:
    """Headings and rows; after the first table a blank line and a title of its own."""
    import csv

    from spikedeblur.benchmarking.columns import cell

    writer = csv.writer(sys.stdout, lineterminator="\n")
    if not first:
        writer.writerows([[], [title]])
    writer.writerow(column[0] for column in columns)
    writer.writerows([cell(row, column) for column in columns] for row in rows)


def _write_markdown(
    title: str, rows: Sequence[Row], columns: Sequence[Column], first: bool
) -> None:
    """A table as GitHub and pandoc read it."""
    from spikedeblur.benchmarking.columns import cell
    from spikedeblur.cli.console import printable

    lines = [f"\n**{title}**\n"] if title and not first else []
    cells = [[column[0] for column in columns], ["---:" if each[2] else "---" for each in columns]]
    cells += [[printable(cell(row, column)) for column in columns] for row in rows]
    lines += [
        f"| {' | '.join(each.replace('|', chr(92) + '|') for each in row)} |" for row in cells
    ]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _table(title: str, rows: Sequence[Row], columns: Sequence[Column], plain: bool) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from spikedeblur.benchmarking.columns import cell
    from spikedeblur.cli.console import printable

    table = Table(
        title=escape(title) or None,
        title_justify="left",
        box=None if plain else box.HEAVY_HEAD,
        header_style=None if plain else "table.header",
    )
    for heading, _, form in columns:
        table.add_column(heading, justify="right" if form else "left")
    for row in rows:
        table.add_row(*(escape(printable(cell(row, column))) for column in columns))
    return table
