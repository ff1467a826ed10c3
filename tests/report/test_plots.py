"""Plots: what they show stands where its figure says."""

from __future__ import annotations

import math
import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.report.plots import Line, Point, Scale, lines, quality_against_speed

POINTS = [
    Point("sdm", "#111111", 0.01, 0.01, 0.02, 25.0),
    Point("<net>", "#222222", 1.0, 0.9, 1.5, 28.0),
    Point("b", "#333333", 0.1, 0.1, 0.1, 28.0),
]


def circles(svg: str) -> dict[str, tuple[float, float]]:
    """Places of the points by colour."""
    found = re.findall(r'<circle[^>]*fill="(#\d+)" cx="([\d.]+)" cy="([\d.]+)"', svg)
    return {colour: (float(x), float(y)) for colour, x, y in found}


def test_axes_are_linear_or_logarithmic():
    assert [Scale(0, 10, 100, 200).at(value) for value in (0, 5, 10)] == [100, 150, 200]
    axis = Scale(0.01, 100, 0, 400, logarithmic=True)
    assert [axis.at(10.0**power) for power in range(-2, 3)] == [0, 100, 200, 300, 400]


@given(st.floats(1e-4, 1e3), st.floats(1.0, 1e3), st.booleans())
def test_ticks_are_round_and_inside(low, ratio, logarithmic):
    axis = Scale.around([low, low * ratio], 0, 500, logarithmic=logarithmic)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 14
    assert all(axis.low <= tick <= axis.high for tick in ticks)
    if logarithmic:
        assert all(
            len(f"{tick:.6e}".split("e")[0].rstrip("0.").replace(".", "")) <= 2 for tick in ticks
        )
    assert sorted(ticks) == ticks


def test_points_stand_at_their_speed_and_quality():
    svg = quality_against_speed(POINTS, baseline=22.0)
    places = circles(svg)
    (slow, high), (middle, same), (fast, low) = (
        places[colour] for colour in ("#222222", "#333333", "#111111")
    )
    assert fast < middle < slow and middle - fast == pytest.approx(slow - middle, abs=0.3)
    assert high == same < low  # pixels count downwards
    assert "blurry 22.00" in svg and "&lt;net&gt;  28.00" in svg and "<net>" not in svg
    baseline = float(re.search(r'class="baseline"[^>]*y1="([\d.]+)"', svg)[1])
    assert (baseline - low) == pytest.approx(low - high, abs=0.3)


def test_names_do_not_lie_on_one_another():
    """Nor on a point: letters of 7 by 10 pixels here, points of 6 pixels around their middle."""
    crowd = [
        Point(f"sdm:{number}", "#1", seconds, seconds, seconds, 30 - number / 1000)
        for number, seconds in enumerate([1.0, 1.0, 1.05, 1.4, 1.45, 1.0, 9.0])
    ]
    svg = quality_against_speed([*crowd, Point("last", "#1", 0.5, 0.5, 0.5, 20.0)], None)
    covered = [
        (float(x) - 6, float(x) + 6, float(y) - 6, float(y) + 6)
        for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg)
    ]
    names = re.findall(r'class="name" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">(.*?)<', svg)
    for x, y, anchor, words in names:
        left = float(x) - 7 * len(words) * (anchor == "end")
        covered.append((left, left + 7 * len(words), float(y) - 10, float(y)))
    assert len(covered) == 2 * (len(crowd) + 1)
    for one, other in combinations(covered, 2):
        both_points = max(covered.index(one), covered.index(other)) <= len(crowd)
        assert (
            both_points
            or one[1] <= other[0]
            or other[1] <= one[0]
            or one[3] <= other[2]
            or other[3] <= one[2]
        )
    assert all(box[0] >= 0 and box[1] <= 640 for box in covered)


def test_a_lone_point_has_a_plot():
    svg = quality_against_speed(POINTS[:1], None)
    assert all(math.isfinite(number) for place in circles(svg).values() for number in place)


def test_lines_go_through_their_places():
    svg = lines([Line("a", "#1", [(0, 20.0), (1, 30.0), (2, 25.0)])], "frame", "PSNR, dB")
    path = re.search(r'points="([^"]*)"', svg)[1]
    xs, ys = zip(*(map(float, place.split(",")) for place in path.split()), strict=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert ys[0] - ys[2] == pytest.approx((ys[0] - ys[1]) / 2, abs=0.2)
