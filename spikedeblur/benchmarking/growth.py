"""How time grows with the pixels of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from statistics import linear_regression
from typing import Any

from spikedeblur.benchmarking.results import GROUPED_BY, MethodResult

TIMES = {"exponent": "seconds_per_frame", "end_to_end_exponent": "end_to_end_seconds_per_frame"}


def growth_exponent(pixels: Sequence[int], seconds: Sequence[float | None]) -> float | None:
    """Exponent b of seconds = a * pixels^b, by least squares of log time over log pixels.

    1 is in proportion. None for fewer than two sizes, and where a time is missing or zero.
    """
    known = [each for each in seconds if each]
    if len(set(pixels)) < 2 or len(known) < len(pixels):
        return None
    return linear_regression([log(each) for each in pixels], [log(each) for each in known]).slope


def growth(results: Sequence[MethodResult], setups: int) -> list[dict[str, Any]]:
    """A row for each of the `setups`, whose results take turns, with exponents over its sizes."""
    found = []
    for place in range(setups):
        rows = [result.as_json() for result in results[place::setups]]
        exponents = {
            name: growth_exponent([row["pixels"] for row in rows], [row[time] for row in rows])
            for name, time in TIMES.items()
        }
        if any(exponent is not None for exponent in exponents.values()):
            same = {
                name: rows[0][name] if len({row[name] for row in rows}) == 1 else None
                for name in GROUPED_BY
            }
            found.append({**same, "sizes": len({row["pixels"] for row in rows}), **exponents})
    return found
