"""What `benchmark` found, as tables on stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikedeblur.benchmark.comparison import Comparison

WIDTH = 120  # columns, in which the widest table stays whole
Row = Mapping[str, Any]
Column = tuple[str, str, str]  # heading, field of the row, format

QUALITY: tuple[Column, ...] = (
    ("group", "group", ""), ("case", "case", ""), ("method", "method", ""),
    ("numbers", "precision", ""), ("tile", "tile", ""), ("threads", "threads", ""),
    ("PSNR dB", "psnr", ".2f"), ("SSIM", "ssim", ".4f"), ("PSNR Y", "psnr_y", ".2f"),
    ("SSIM Y", "ssim_y", ".4f"), ("temporal", "temporal", ".4f"), ("LPIPS", "lpips", ".4f"),
    ("s/frame", "seconds_per_frame", ".3f"), ("min", "seconds_per_frame_min", ".3f"),
    ("max", "seconds_per_frame_max", ".3f"), ("first s", "first_frame_seconds", ".2f"),
    ("peak MB", "peak_rss_mb", ".0f"))
MEANS: tuple[Column, ...] = (
    ("group", "group", ""), ("cases", "cases", ""), *QUALITY[2:13], *QUALITY[15:])
PASSES: tuple[Column, ...] = (
    ("size", "case", ""), ("precision", "precision", ""), ("s/frame", "seconds_per_frame", ".3f"),
    ("min", "seconds_per_frame_min", ".3f"), ("max", "seconds_per_frame_max", ".3f"),
    ("GFLOP/frame", "gflop_per_frame", ".1f"), ("GFLOP/s", "gflops", ".0f"),
    ("conv3d", "conv3d_gflops", ".0f"), ("of it", "conv3d_fraction", ".0%"),
    ("growth MB", "peak_growth_mb", ".0f"), ("to fp32", "speed_to_fp32", ".2fx"),
    ("PSNR dB", "psnr_to_fp32", ".1f"))
RATIOS: tuple[Column, ...] = (
    *QUALITY[:6], ("PSNR dB", "psnr", "+.2f"), ("SSIM", "ssim", ".3fx"),
    ("PSNR Y", "psnr_y", "+.2f"), ("SSIM Y", "ssim_y", ".3fx"), ("temporal", "temporal", ".2fx"),
    ("LPIPS", "lpips", ".2fx"), ("s/frame", "seconds_per_frame", ".2fx"),
    ("first s", "first_frame_seconds", ".2fx"), ("peak MB", "peak_rss_mb", ".2fx"))
SETTINGS = ("group", "precision", "tile", "threads")


def print_results(rows: Sequence[Row], means: Sequence[Row]) -> None:
    """One table of the cases, and one of the means where there are any."""
    _print(rows, _used(QUALITY, rows))
    if means:
        named = [{**row, "group": row["group"] or "all"} for row in means]
        _print(named, _used(MEANS, [*named]), title="Means over cases")


def print_passes(rows: Sequence[Row]) -> None:
    """The table of `--speed` of the network alone, and why what is missing is missing."""
    console = _print(rows, PASSES)
    reasons = {row["precision"]: row["skipped"] for row in rows if row.get("skipped")}
    for precision, reason in reasons.items():
        console.print(f"{precision} was not measured: {reason}", highlight=False, soft_wrap=True)


def print_comparison(comparison: Comparison, first: str, second: str) -> None:
    """The table of ratios, and what only one of the two has."""
    console = _print(comparison.rows, _used(RATIOS, comparison.rows),
                     title=f"{second} over {first}; PSNR as the difference")
    for name, missing in ((first, comparison.only_in_first), (second, comparison.only_in_second)):
        for what in missing:
            console.print(f"only in {name}: {what}", markup=False, highlight=False, soft_wrap=True)


def _used(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """The columns that say something: not empty, and settings only where they differ."""
    used = []
    for column in columns:
        values = {row.get(column[1]) for row in rows}
        if values - {None, ""} and (len(values - {None}) > 1 or column[1] not in SETTINGS):
            used.append(column)
    return used


def _print(rows: Sequence[Row], columns: Sequence[Column], title: str | None = None) -> Any:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.width = max(console.width, WIDTH)
    table = Table(title=title and escape(title), title_justify="left")
    for heading, _, form in columns:
        table.add_column(heading, justify="right" if form else "left")
    for row in rows:
        table.add_row(*(escape(_cell(row.get(field), form)) for _, field, form in columns))
    console.print(table)
    return console


def _cell(value: Any, form: str) -> str:
    if value is None:
        return ""
    return format(value, form.removesuffix("x")) + "x" * form.endswith("x")
