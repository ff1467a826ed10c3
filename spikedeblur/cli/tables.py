"""What `benchmark` found, as tables on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikedeblur.benchmark.columns import Column, Row
    from spikedeblur.benchmark.comparison import Comparison

WIDTH = 120  # columns, in which the widest table stays whole


def print_results(rows: Sequence[Row], means: Sequence[Row]) -> None:
    """One table of the cases, and one of the means where there are any."""
    from spikedeblur.benchmark.columns import MEANS, QUALITY, of_groups, telling

    _print(rows, telling(QUALITY, rows))
    if means:
        named = of_groups(means)
        _print(named, telling(MEANS, named), title="Means over cases")


def print_passes(rows: Sequence[Row]) -> None:
    """The table of `--speed` of the network alone, and why what is missing is missing."""
    from spikedeblur.benchmark.columns import PASSES

    console = _print(rows, PASSES)
    reasons = {row["precision"]: row["skipped"] for row in rows if row.get("skipped")}
    for precision, reason in reasons.items():
        console.print(f"{precision} was not measured: {reason}", highlight=False, soft_wrap=True)


def print_comparison(comparison: Comparison, first: str, second: str) -> None:
    """The table of ratios, and what only one of the two has."""
    from spikedeblur.benchmark.columns import RATIOS, telling
    from spikedeblur.cli.console import printable

    console = _print(comparison.rows, telling(RATIOS, comparison.rows),
                     title=f"{second} over {first}; PSNR as the difference")
    for name, missing in ((first, comparison.only_in_first), (second, comparison.only_in_second)):
        for what in missing:
            console.print(printable(f"only in {name}: {what}"), markup=False, highlight=False,
                          soft_wrap=True)


def _print(rows: Sequence[Row], columns: Sequence[Column], title: str | None = None) -> Any:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from spikedeblur.benchmark.columns import cell
    from spikedeblur.cli.console import printable

    console = Console()
    console.width = max(console.width, WIDTH)
    table = Table(title=title and escape(title), title_justify="left")
    for heading, _, form in columns:
        table.add_column(heading, justify="right" if form else "left")
    for row in rows:
        table.add_row(*(escape(printable(cell(row, column))) for column in columns))
    console.print(table)
    return console
