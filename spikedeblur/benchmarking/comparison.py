"""Two benchmarks side by side: what the second has gained or lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spikedeblur.benchmarking.changes import figure_of, timing_changes, untold_times
from spikedeblur.errors import InputError
from spikedeblur.io.guards.limits import check_regular

MATCHED_BY = ("group", "case", "network", "method", "precision", "threads", "tile")
QUALITY_FIGURES = ("psnr", "ssim", "psnr_y", "ssim_y", "temporal", "lpips")
COST_FIGURES = (
    "seconds_per_frame",
    "end_to_end_seconds_per_frame",
    "gflop_worth_per_frame",
    "end_to_end_gflop_worth_per_frame",
    "first_frame_seconds",
    "peak_rss_mb",
    "peak_growth_mb",
    "end_to_end_peak_rss_mb",
)
LARGEST = 1 << 28


@dataclass(frozen=True)
class Comparison:
    """Two benchmarks compared.

    rows: what both files measured. changes: the times that changed beyond noise, each a `Change`
    with what it is of. untold: names of rows with times of a single run, whose noise nobody knows.
    only_in_first, only_in_second: names of what just one measured.
    """

    rows: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    untold: list[str]
    only_in_first: list[str]
    only_in_second: list[str]


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> Comparison:
    """Match the rows of two benchmarks, each as `read_benchmark` gives it.

    Rows are matched by what was measured, settings included; where that leaves nothing in common,
    without the settings of the machine. A row has, for each figure that both files have, FIGURE as
    the second over the first; PSNR, which is a ratio already, as the difference in dB. A time
    changed beyond noise as `timing_changes` has it.
    """
    for keys in (MATCHED_BY, MATCHED_BY[:4]):
        ours, theirs = _by_key(first, keys), _by_key(second, keys)
        if ours.keys() & theirs.keys():
            break
    both = [key for key in ours if key in theirs]
    names = {
        key: {name: value for name, value in zip(keys, key, strict=True) if value is not None}
        for key in both
    }
    return Comparison(
        rows=[{**names[key], **_ratios(ours[key], theirs[key])} for key in both],
        changes=[
            {**names[key], **asdict(change)}
            for key in both
            for change in timing_changes(ours[key], theirs[key])
        ],
        untold=_names({key for key in both if untold_times(ours[key], theirs[key])}),
        only_in_first=_names(ours.keys() - theirs.keys()),
        only_in_second=_names(theirs.keys() - ours.keys()),
    )


def read_benchmark(path: Path) -> dict[str, Any]:
    """Read a file of `benchmark --json`. Raises `InputError` for anything else."""
    check_regular("benchmark", path)
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("too large")
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = found["cases"]
        if not all(isinstance(row["case"], str) and isinstance(row["method"], str) for row in rows):
            raise TypeError("rows without names")
    except OSError as error:
        raise InputError(
            f"cannot read {path} ({error.strerror}) - name a file that benchmark --json wrote"
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(
            f"{path} is no benchmark - name a file that benchmark --json wrote"
        ) from None
    return dict(found)


def _by_key(
    benchmark: Mapping[str, Any], keys: tuple[str, ...]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row.get(key) for key in keys): row for row in benchmark["cases"]}


def _ratios(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in (*QUALITY_FIGURES, *COST_FIGURES):
        before, after = figure_of(first, name), figure_of(second, name)
        if before is None or after is None:
            continue
        if name.startswith("psnr"):
            found[name] = after - before
        elif before:
            found[name] = after / before
    return found


def _names(keys: set[tuple[Any, ...]]) -> list[str]:
    return sorted(" ".join(str(part) for part in key if part not in (None, "")) for key in keys)
