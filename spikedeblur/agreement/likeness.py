"""Likeness of frames and spikes: correlation of detail, also at other times and places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikedeblur.agreement.glimpses import Glimpse
from spikedeblur.agreement.grid import Plane, SampleGrid, detail

AS_IS = ""
TURNS = {
    AS_IS: np.s_[:, :],
    "upside down": np.s_[::-1, :],
    "mirrored": np.s_[:, ::-1],
    "turned by 180 degrees": np.s_[::-1, ::-1],
}
"""Ways in which the spike plane may lie, and what takes each to the way it should."""
MAX_SHIFT_OF_GRID = 0.3  # of the grid's sides, that a shift is looked for
LEAST_SHARED = 0.3  # of the detail of all frames, that a shift has to leave in sight


@dataclass(frozen=True)
class Place:
    """A place of the spikes: so many seconds later, so many samples (down, across) away, turned."""

    lag_s: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    turn: str = AS_IS


AS_SAID = Place()


@dataclass(frozen=True)
class Peak:
    """A place, and the likeness there: a correlation in [-1, 1], nan where nothing was recorded."""

    likeness: float
    place: Place = AS_SAID


def spikes_detail(view: Glimpse, grid: SampleGrid, where: Plane, place: Place) -> Plane | None:
    """Detail of the root of a frame's spikes, (rows, columns); None where none were recorded."""
    rate = view.knots.rate(place.lag_s)
    if rate is None:
        return None
    return detail(np.sqrt(grid.laid(rate[TURNS[place.turn]], place.shift)), where)


def terms(views: Sequence[Glimpse], grid: SampleGrid, place: Place = AS_SAID) -> np.ndarray:
    """Of each view: product, energy of the frame, energy of the spikes: (N, 3); nan without any."""
    found = np.full((len(views), 3), np.nan)
    for row, view in zip(found, views, strict=True):
        spikes = spikes_detail(view, grid, view.clear, place)
        if spikes is not None:
            row[:] = (view.detail * spikes).sum(), (view.detail**2).sum(), (spikes**2).sum()
    return found


def correlation(terms_N3: np.ndarray) -> float:
    """Correlation over all views that have spikes, in [-1, 1]; nan if these are less than half."""
    known = np.isfinite(terms_N3[:, 0])
    if 2 * known.sum() < len(known) or not known.any():
        return float("nan")
    product, frames, spikes = terms_N3[known].sum(axis=0)
    return float(product / max(np.sqrt(frames * spikes), 1e-12))


def likeness(views: Sequence[Glimpse], grid: SampleGrid, place: Place = AS_SAID) -> float:
    """Correlation of the detail of all frames with that of their spikes, in [-1, 1], or nan."""
    return correlation(terms(views, grid, place))


def best_lag(
    views: Sequence[Glimpse], grid: SampleGrid, lags: Sequence[float], turn: str = AS_IS
) -> Peak:
    """The likeliest of `lags` (seconds, evenly spaced, two or more)."""
    values = [likeness(views, grid, Place(lag, turn=turn)) for lag in lags]
    return max(
        (Peak(value, Place(lag, turn=turn)) for value, lag in zip(values, lags, strict=True)),
        key=known_likeness,
    )


def refine_lag(views: Sequence[Glimpse], grid: SampleGrid, peak: Peak, step_s: float) -> Peak:
    """A peak's lag, finer than `step_s`: by the parabola through its neighbours, then its half."""
    place, value = peak.place, peak.likeness
    for step in (step_s, step_s / 2):
        before, after = (
            likeness(views, grid, Place(place.lag_s + way * step, place.shift, place.turn))
            for way in (-1, 1)
        )
        lag = place.lag_s + step * vertex(before, value, after)
        place = Place(lag, place.shift, place.turn)
        value = likeness(views, grid, place)
    return Peak(value, place)


def best_shift(views: Sequence[Glimpse], grid: SampleGrid, lag_s: float = 0.0) -> Peak:
    """The shift at which frames and spikes are most alike at one lag, finer than a sample."""
    rows, columns = grid.shape
    reach = max(int(MAX_SHIFT_OF_GRID * rows), 1), max(int(MAX_SHIFT_OF_GRID * columns), 1)
    size = rows + reach[0], columns + reach[1]
    total = np.zeros((3, *size))
    inside = np.fft.rfft2(grid.seen, size)
    for view in views:
        spikes = spikes_detail(view, grid, grid.seen, Place(lag_s))
        if spikes is None:
            continue
        frame, energy, clear, other, square = (
            np.fft.rfft2(each, size)
            for each in (view.detail, view.detail**2, view.clear, spikes, spikes**2)
        )
        pairs = ((frame, other), (energy, inside), (clear, square))
        total += [np.fft.irfft2(one * two.conj(), size) for one, two in pairs]
    product, energies, others = (
        np.roll(each, reach, (0, 1))[: 2 * reach[0] + 1, : 2 * reach[1] + 1] for each in total
    )
    enough = energies > LEAST_SHARED * energies.max()
    values = np.where(enough, product / np.sqrt(np.maximum(energies * others, 1e-12)), -1)
    down, across = np.unravel_index(int(values.argmax()), values.shape)
    return _placed_finely(
        views, grid, Place(lag_s, (float(down - reach[0]), float(across - reach[1])))
    )


def _placed_finely(views: Sequence[Glimpse], grid: SampleGrid, place: Place) -> Peak:
    """The likeliest shift around one of whole samples, by a parabola down and one across."""
    here = likeness(views, grid, place)
    fine = list(place.shift)
    for axis in (0, 1):
        sides = []
        for way in (-1.0, 1.0):
            moved = list(place.shift)
            moved[axis] += way
            sides.append(likeness(views, grid, Place(place.lag_s, (moved[0], moved[1]))))
        fine[axis] += vertex(sides[0], here, sides[1])
    found = Place(place.lag_s, (fine[0], fine[1]))
    return max(Peak(here, place), Peak(likeness(views, grid, found), found), key=known_likeness)


def known_likeness(peak: Peak) -> float:
    """By which the likeliest of several peaks is found."""
    return peak.likeness if np.isfinite(peak.likeness) else -2.0


def vertex(before: float, here: float, after: float) -> float:
    """Return the peak, within a step, of the parabola through a value and its neighbours."""
    bend = before - 2 * here + after
    if not np.isfinite(bend) or bend >= 0:
        return 0.0
    return float(np.clip((before - after) / (2 * bend), -1, 1))
