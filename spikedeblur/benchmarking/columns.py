"""Columns of tables: the figures shown, their headings and their number of digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Column = tuple[str, str, str]  # heading, field of the row, format

QUALITY_COLUMNS: tuple[Column, ...] = (
    ("group", "group", ""),
    ("case", "case", ""),
    ("method", "method", ""),
    ("numbers", "precision", ""),
    ("tile", "tile", ""),
    ("threads", "threads", ""),
    ("PSNR dB", "psnr", ".2f"),
    ("SSIM", "ssim", ".4f"),
    ("PSNR Y", "psnr_y", ".2f"),
    ("SSIM Y", "ssim_y", ".4f"),
    ("temporal", "temporal", ".4f"),
    ("LPIPS", "lpips", ".4f"),
    ("s/frame", "seconds_per_frame", ".3f"),
    ("min", "seconds_per_frame_min", ".3f"),
    ("max", "seconds_per_frame_max", ".3f"),
    ("first s", "first_frame_seconds", ".2f"),
    ("peak MB", "peak_rss_mb", ".0f"),
)
END_TO_END_COLUMNS: tuple[Column, ...] = (
    ("file s/frame", "end_to_end_seconds_per_frame", ".3f"),
    ("file min", "end_to_end_seconds_per_frame_min", ".3f"),
    ("file max", "end_to_end_seconds_per_frame_max", ".3f"),
    ("file peak MB", "end_to_end_peak_rss_mb", ".0f"),
    ("conv3d GFLOP/s", "conv3d_gflops", ".0f"),
    ("GFLOP worth", "gflop_worth_per_frame", ".1f"),
    ("file GFLOP worth", "end_to_end_gflop_worth_per_frame", ".1f"),
)
RESULT_COLUMNS = (*QUALITY_COLUMNS, *END_TO_END_COLUMNS)
COST_COLUMNS: tuple[Column, ...] = (
    *QUALITY_COLUMNS[:6],
    *QUALITY_COLUMNS[12:15],
    ("frames/s", "frames_per_second", ".2f"),
    QUALITY_COLUMNS[15],
    ("loading s", "load_seconds", ".2f"),
    ("warm-up s", "warm_up_seconds", ".2f"),
    QUALITY_COLUMNS[16],
    ("growth MB", "peak_growth_mb", ".0f"),
    ("GPU MB", "peak_gpu_mb", ".0f"),
    ("frames", "frames", "d"),
    ("runs", "runs", "d"),
    *END_TO_END_COLUMNS,
)
GROWTH_COLUMNS: tuple[Column, ...] = (
    *QUALITY_COLUMNS[2:6],
    ("sizes", "sizes", "d"),
    ("exponent", "exponent", ".2f"),
    ("file exponent", "end_to_end_exponent", ".2f"),
)
CHANGE_COLUMNS: tuple[Column, ...] = (
    *QUALITY_COLUMNS[:6],
    ("figure", "figure", ""),
    ("before", "first", ".3f"),
    ("after", "second", ".3f"),
    ("ratio", "ratio", ".2fx"),
    ("spread before", "first_spread", ".3f"),
    ("spread after", "second_spread", ".3f"),
)
MEANS_COLUMNS: tuple[Column, ...] = (
    ("group", "group", ""),
    ("cases", "cases", ""),
    *QUALITY_COLUMNS[2:13],
    *QUALITY_COLUMNS[15:],
)
PASS_COLUMNS: tuple[Column, ...] = (
    ("size", "case", ""),
    ("precision", "precision", ""),
    ("s/frame", "seconds_per_frame", ".3f"),
    ("min", "seconds_per_frame_min", ".3f"),
    ("max", "seconds_per_frame_max", ".3f"),
    ("GFLOP/frame", "gflop_per_frame", ".1f"),
    ("GFLOP/s", "gflops", ".0f"),
    ("conv3d", "conv3d_gflops", ".0f"),
    ("of it", "conv3d_fraction", ".0%"),
    ("growth MB", "peak_growth_mb", ".0f"),
    ("to fp32", "speed_to_fp32", ".2fx"),
    ("PSNR dB", "psnr_to_fp32", ".1f"),
)
RATIO_COLUMNS: tuple[Column, ...] = (
    *QUALITY_COLUMNS[:6],
    ("PSNR dB", "psnr", "+.2f"),
    ("SSIM", "ssim", ".3fx"),
    ("PSNR Y", "psnr_y", "+.2f"),
    ("SSIM Y", "ssim_y", ".3fx"),
    ("temporal", "temporal", ".2fx"),
    ("LPIPS", "lpips", ".2fx"),
    ("s/frame", "seconds_per_frame", ".2fx"),
    ("first s", "first_frame_seconds", ".2fx"),
    ("peak MB", "peak_rss_mb", ".2fx"),
    ("file s/frame", "end_to_end_seconds_per_frame", ".2fx"),
    ("file peak MB", "end_to_end_peak_rss_mb", ".2fx"),
    ("GFLOP worth", "gflop_worth_per_frame", ".2fx"),
    ("file GFLOP worth", "end_to_end_gflop_worth_per_frame", ".2fx"),
)
SCORE_COLUMNS: tuple[Column, ...] = (
    ("result", "result", ""),
    ("frames", "count", "d"),
    *QUALITY_COLUMNS[6:12],
)
FRAME_COLUMNS: tuple[Column, ...] = (
    ("frame", "frame", "d"),
    ("time s", "time_s", ".3f"),
    *QUALITY_COLUMNS[6:12],
)
SETTING_FIELDS = ("group", "precision", "tile", "threads")


def telling(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    """The columns that say something: not empty, and settings only where they differ."""
    found = []
    for column in columns:
        values = {row.get(column[1]) for row in rows}
        if values - {None, ""} and (len(values - {None}) > 1 or column[1] not in SETTING_FIELDS):
            found.append(column)
    return found


def cell(row: Row, column: Column) -> str:
    """The text of one figure; empty where it was not measured."""
    _, field, form = column
    value = row.get(field)
    if value is None:
        return ""
    return format(value, form.removesuffix("x")) + "x" * form.endswith("x")


def of_groups(means: Sequence[Row]) -> list[Row]:
    """Rows of means with a name for all cases."""
    return [{**row, "group": row["group"] or "all"} for row in means]
