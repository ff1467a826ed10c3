"""From likeness to a verdict: whether the spikes fit as they lie, and if not, how they would.

First nearby: within an exposure of their stated place, or shifted. If nothing fits there,
farther: some frame intervals away, turned over, or as the negative.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikedeblur.agreement.glimpses import Glimpse
from spikedeblur.agreement.grid import SampleGrid
from spikedeblur.agreement.likeness import (
    AS_IS,
    TURNS,
    Peak,
    Place,
    best_lag,
    best_shift,
    correlation,
    known_likeness,
    likeness,
    refine_lag,
    terms,
    vertex,
)

# Of what is to be expected at least. Right recordings were at 1.0 to 2.1, others below 0.55.
FITTING = 0.75
LEAST_EXPECTED = 0.3
LEAST_FRAME_LIKENESS = 0.5  # likeness: the best of many chances stays below
LEAST_TEXTURE = 0.003  # root mean square of the detail of a frame: less is noise
LEAST_AREA = 150.0  # samples that both cameras see
LATE = 0.08  # exposures
SHIFTED = 1.0  # video pixels
GAIN = 0.003  # of likeness, by which a better place is really better
ALIKE = 0.7  # of the gain of the best explanation, from where another may be meant
SIMPLER = 0.1  # of likeness, that a simpler explanation may be worth less
MOVING = 0.004  # of likeness, lost at another time
NEAR = np.arange(-4, 5) / 4  # lags that are tried first, exposures
JOINT_LAGS = 9  # at so many lags every shift is tried


NOWHERE = Peak(math.nan)


@dataclass(frozen=True)
class Single:
    """One frame. likeness: as it lies, nan without spikes. lag_s: the best, None if not seen."""

    start_s: float
    likeness: float
    lag_s: float | None


@dataclass(frozen=True)
class FrameComparison:
    """Findings on a few frames. here: likeness as they lie. expected: the least to be so.

    late, aside: the best lag and the best shift. each: every frame by itself. better: where they
    would fit better, the best first; empty if they fit as they lie, or nowhere. moving: whether
    another time is less alike, so that the time is known. untold: why they cannot be judged; empty
    where it can.
    """

    here: float
    expected: float
    late: Peak = NOWHERE
    aside: Peak = NOWHERE
    each: tuple[Single, ...] = ()
    better: tuple[Peak, ...] = ()
    moving: bool = False
    untold: str = ""

    @property
    def wanted(self) -> float:
        """The likeness from which on frames and spikes belong together."""
        return FITTING * self.expected

    @property
    def fits(self) -> bool:
        """Return whether they do as they lie, if maybe a little aside."""
        return self.here >= self.wanted

    @property
    def late_s(self) -> float:
        """Return by how much later than stated the spikes fit best."""
        return self.late.place.lag_s

    @property
    def only_late(self) -> bool:
        """Return whether they would fit at another time, if nowhere else."""
        best = self.better[0].place if self.better else None
        return best is not None and best.lag_s != 0 and not any(best.shift)

    def shift_px(self, grid: SampleGrid) -> tuple[float, float]:
        """Return the shift (right, down) in video pixels at which they fit best."""
        down, across = self.aside.place.shift
        return across * grid.step, down * grid.step


def why_untold(views: Sequence[Glimpse]) -> str:
    """Return why these frames cannot be judged; empty where they can."""
    if not views:
        return "no frame that was looked at has spikes"
    area = float(np.mean([view.clear.sum() for view in views]))
    if area < LEAST_AREA:
        return "too little of the picture can be compared"
    energy = float(np.mean([(view.detail**2).sum() for view in views]))
    if math.sqrt(energy / area) < LEAST_TEXTURE:
        return "the frames have no texture"
    return ""


def expected(views: Sequence[Glimpse]) -> float:
    """The least likeness of all views together."""
    return float(np.mean([view.expected for view in views]))


def compare_near(views: Sequence[Glimpse], grid: SampleGrid) -> FrameComparison:
    """As they lie, within an exposure before and after, and shifted."""
    if untold := why_untold(views):
        return FrameComparison(math.nan, 0.0, untold=untold)
    exposure = views[0].exposure_s
    table = np.stack([terms(views, grid, Place(float(lag) * exposure)) for lag in NEAR])
    values = np.nan_to_num([correlation(row) for row in table], nan=-1.0)
    if values.max() == -1:
        return FrameComparison(math.nan, 0.0, untold="the spikes cover too little of the frames")
    at, middle = int(values.argmax()), len(NEAR) // 2
    late = Peak(float(values[at]), Place(float(NEAR[at]) * exposure))
    found = FrameComparison(
        float(values[middle]),
        expected(views),
        refine_lag(views, grid, late, exposure / 4),
        best_shift(views, grid),
        tuple(_each(views, table, middle)),
        moving=float(values.max() - values[values > -1].min()) > MOVING,
    )
    if not found.fits and found.expected < LEAST_EXPECTED:
        return replace(found, untold="there are too few spikes for so little texture")
    return replace(found, better=_nearby(found, grid, exposure))


def _each(views: Sequence[Glimpse], table: np.ndarray, middle: int) -> Iterator[Single]:
    """Every view by itself; table: terms by lag and view."""
    single = table[..., 0] / np.sqrt(np.maximum(table[..., 1] * table[..., 2], 1e-24))
    for view, values in zip(views, single.T, strict=True):
        at = int(np.nan_to_num(values, nan=-1.0).argmax())
        lag = None
        if 0 < at < len(values) - 1 and np.isfinite(values[at - 1 : at + 2]).all():
            step = float(NEAR[1] - NEAR[0])
            lag = (float(NEAR[at]) + step * vertex(*values[at - 1 : at + 2])) * view.exposure_s
        yield Single(view.start_s, float(values[middle]), lag)


def _nearby(found: FrameComparison, grid: SampleGrid, exposure_s: float) -> tuple[Peak, ...]:
    """The best lag and shift, as far as they explain more than chance; the better one first."""
    far = {
        found.late: abs(found.late_s) > LATE * exposure_s,
        found.aside: math.hypot(*found.shift_px(grid)) > SHIFTED,
    }
    gains = [peak for peak in far if far[peak] and peak.likeness > found.here + GAIN]
    gains.sort(key=lambda peak: -peak.likeness)
    enough = found.here + ALIKE * (gains[0].likeness - found.here) if gains else 0.0
    return tuple(peak for peak in gains if peak.likeness >= enough)


def compare_far(
    views: Sequence[Glimpse], grid: SampleGrid, lags: Sequence[float], found: FrameComparison
) -> FrameComparison:
    """The same with what was tried farther away, in time, turned and shifted.

    lags: seconds, evenly spaced. A likeness below zero means the negative, as it lies. Spikes that
    fit as they lie are tried at other times only.
    """
    late = found.late
    if len(lags) > 1:
        farther = refine_lag(views, grid, best_lag(views, grid, lags), lags[1] - lags[0])
        nearby = likeness(views, grid, late.place)
        if farther.likeness > max(nearby, late.likeness) + GAIN:
            late = farther
    if found.fits:
        kept = [late if peak is found.late else peak for peak in found.better]
        kept.sort(key=lambda peak: -peak.likeness)
        return replace(found, late=late, better=tuple(kept))
    wanted = max(found.wanted, LEAST_FRAME_LIKENESS)
    if -found.here >= wanted:
        return replace(found, better=(Peak(found.here),))
    near = [lag for lag in lags if abs(lag) <= 1.01 * views[0].exposure_s]
    tried = [late, *(best_lag(views, grid, near, turn) for turn in TURNS if turn != AS_IS)]
    tried.append(found.aside)
    good = [peak for peak in tried if peak.likeness >= wanted]
    if not good:
        some = lags[:: max(len(lags) // JOINT_LAGS, 1)]
        both = max((best_shift(views, grid, lag) for lag in some), key=known_likeness)
        good = [both] if both.likeness >= wanted else []
    best = max((peak.likeness for peak in good), default=0.0)
    return replace(found, better=tuple(p for p in good if p.likeness >= best - SIMPLER)[:1])
