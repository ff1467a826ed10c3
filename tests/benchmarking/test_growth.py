"""Exponents of growth, on times that follow a law."""

from __future__ import annotations

import numpy as np
import pytest

from spikedeblur.benchmarking.growth import growth, growth_exponent
from spikedeblur.benchmarking.results import MethodResult

PIXELS = [160 * 96, 320 * 192, 640 * 360]


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.7])
def test_the_exponent_of_a_power_law(exponent):
    seconds = [3e-6 * pixels**exponent for pixels in PIXELS]
    assert growth_exponent(PIXELS, seconds) == pytest.approx(exponent, abs=1e-9)


def test_it_is_the_slope_of_least_squares():
    seconds = [0.1, 0.3, 2.0]
    design = np.stack([np.log(PIXELS), np.ones(3)], axis=1)
    slope, _ = np.linalg.solve(design.T @ design, design.T @ np.log(seconds))
    assert growth_exponent(PIXELS, seconds) == pytest.approx(slope)


@pytest.mark.parametrize(
    ("pixels", "seconds"),
    [([], []), ([64], [1.0]), ([64, 64], [1.0, 2.0]), ([64, 128], [1.0, None])],
)
def test_too_little_to_tell(pixels, seconds):
    assert growth_exponent(pixels, seconds) is None


def test_a_row_for_each_setup():
    """Results of two setups take turns; where tiles differ with the size, none is named."""

    def result(method: str, pixels: int, seconds: float, tile: int | None) -> MethodResult:
        return MethodResult(
            case="",
            group="",
            weights=None,
            method=method,
            frames=1,
            runs=1,
            pixels=pixels,
            tile=tile,
            seconds_per_frame=seconds,
            end_to_end_seconds_per_frame=1.0,
            peak_rss_mb=None,
        )

    results = [
        result("sdm", 100, 1.0, None),
        result("net", 100, 1.0, 32),
        result("sdm", 400, 2.0, None),
        result("net", 400, 16.0, 64),
    ]
    sdm, net = growth(results, 2)
    assert (sdm["method"], sdm["sizes"], net["method"], net["tile"]) == ("sdm", 2, "net", None)
    assert (sdm["exponent"], net["exponent"]) == pytest.approx((0.5, 2.0))
    assert sdm["end_to_end_exponent"] == pytest.approx(0.0)
    assert growth(results[:2], 2) == []
