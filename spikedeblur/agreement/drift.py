"""Agreement over a whole video: clocks that drift or jump, recordings that stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikedeblur.agreement.comparison import LATE, LEAST_FRAME_LIKENESS, FrameComparison, Single
from spikedeblur.agreement.finding import Finding
from spikedeblur.agreement.glimpses import Glimpse
from spikedeblur.agreement.grid import SampleGrid
from spikedeblur.agreement.likeness import Place, correlation, terms
from spikedeblur.agreement.sensor import DARK_LIGHT

CODE = "spikes_drift"
LOST = 0.5  # of the least likeness to be expected: less, and a frame does not fit
LEAST_FRAMES = 4
STEADY = 0.1  # of its change, that a lag may scatter around a line; sharp frames know it to 0.17
JUMP = 0.03  # of likeness, by which two times explain more than one


def drifting(found: FrameComparison, exposure_s: float) -> Finding | None:
    """That all frames fit, but later and later; None else."""
    timed = [each for each in found.each if each.lag_s is not None]
    if _lost(found) or len(timed) < LEAST_FRAMES or not found.moving:
        return None
    return _steadily(timed, exposure_s)


def stopping(found: FrameComparison) -> Finding | None:
    """That some frames fit before, behind or around others that do not; None else.

    Nor if all of them would fit elsewhere.
    """
    missed = _lost(found)
    kept = [each for each in found.each if np.isfinite(each.likeness) and each not in missed]
    best = max((each.likeness for each in kept), default=0.0)
    if not missed or best < max(found.wanted, LEAST_FRAME_LIKENESS):
        return None
    if found.better and found.better[0].likeness > (1 + found.here) / 2:
        return None
    worst = max(min(each.likeness for each in missed), 0.0)
    return _stopped(kept, missed, worst)


def silent(views: Sequence[Glimpse], found: FrameComparison) -> Finding | None:
    """That bright frames have no spikes at all, and the others fit; None else.

    found: on the others.
    """
    missed = [view for view in views if not view.knots.fired.any() and _bright(view)]
    kept = [each for each in found.each if np.isfinite(each.likeness)]
    return _stopped(kept, missed, 0.0) if missed and kept and found.fits else None


def _bright(view: Glimpse) -> bool:
    seen = view.look.clear > 0
    return bool(seen.any() and view.look.light[seen].mean() > DARK_LIGHT)


def _stopped(
    kept: Sequence[Single], missed: Sequence[Single] | Sequence[Glimpse], worst: float
) -> Finding:
    """The finding on frames that do not fit: of which times, and of which others do."""
    figures = {"spike_match": round(worst, 3), "frames_fitting": len(kept)}
    if kept[-1].start_s < missed[0].start_s:
        where = f"from {missed[0].start_s:.3f} s on; they do up to {kept[-1].start_s:.3f} s"
        figures["from_s"] = round(missed[0].start_s, 4)
    elif missed[-1].start_s < kept[0].start_s:
        where = f"before {kept[0].start_s:.3f} s; they do from there on"
        figures["until_s"] = round(kept[0].start_s, 4)
    else:
        first, last = missed[0].start_s, missed[-1].start_s
        span = f"at {first:.3f} s" if first == last else f"from {first:.3f} to {last:.3f} s"
        where = f"{span}; they do elsewhere"
        figures["from_s"] = round(missed[0].start_s, 4)
        figures["until_s"] = round(missed[-1].start_s, 4)
    return Finding(
        CODE,
        f"the spikes do not resemble the frames ({worst:.2f}) {where} - does a clock drift or "
        "jump (spikedeblur align finds out), or a recording stop?",
        figures,
    )


def jumping(
    views: Sequence[Glimpse], grid: SampleGrid, lags: Sequence[float], wanted: float
) -> Finding | None:
    """That the first frames fit at one of `lags` (seconds) and the others at another; None else.

    wanted: the likeness from which on frames and spikes belong together; both parts, which are
    chosen out of many, have to be half as far from 1.
    """
    table = np.stack([terms(views, grid, Place(lag)) for lag in lags])
    whole = max(_known(rows) for rows in table)
    split, cut, before, after = -1.0, 0, 0, 0
    for at in range(1, len(views)):
        ends = [
            max(range(len(lags)), key=lambda lag: _known(part[lag])) for part in _parts(table, at)
        ]
        likeness = _known(np.concatenate([table[ends[0], :at], table[ends[1], at:]]))
        if likeness > split:
            split, cut, (before, after) = likeness, at, ends
    if not cut or split < whole + JUMP or abs(after - before) < 2:
        return None
    one, other = _parts(table, cut)
    if min(_known(one[before]), _known(other[after])) < (1 + wanted) / 2:
        return None
    last, first = views[cut - 1].start_s, views[cut].start_s
    return Finding(
        CODE,
        f"the spikes fit {_when(lags[before])} up to {last:.3f} s, and {_when(lags[after])} from "
        f"{first:.3f} s on - ticks or frames were lost between: spikedeblur align finds where, and "
        "writes offset_jumps",
        {
            "from_s": round(first, 4),
            "late_s": round(lags[after], 5),
            "late_before_s": round(lags[before], 5),
        },
    )


def _parts(table: np.ndarray, cut: int) -> tuple[np.ndarray, np.ndarray]:
    """Terms (lags, views, 3) of the first `cut` views, and of the others."""
    return table[:, :cut], table[:, cut:]


def _known(terms_N3: np.ndarray) -> float:
    return float(np.nan_to_num(correlation(terms_N3), nan=-1.0))


def _when(lag_s: float) -> str:
    if not lag_s:
        return "as given"
    return f"{1000 * abs(lag_s):.1f} ms {'later' if lag_s > 0 else 'earlier'}"


def _lost(found: FrameComparison) -> list[Single]:
    """Frames that do not fit as they lie."""
    return [each for each in found.each if each.likeness < LOST * found.expected]


def _steadily(seen: Sequence[Single], exposure_s: float) -> Finding | None:
    """Lags that grow with time."""
    times, lags = np.array([(each.start_s, each.lag_s) for each in seen]).T
    slope, start = np.polyfit(times, lags, 1)
    fitted = start + slope * times
    change = float(fitted[-1] - fitted[0])
    scatter = float(np.sqrt(((lags - fitted) ** 2).mean()))
    if abs(change) < 2 * LATE * exposure_s or scatter > STEADY * abs(change):
        return None
    fast = 1e6 * (1 / (1 + float(slope)) - 1)  # as a sidecar counts it, beside what it says now
    first, last = (_when(float(lag)) for lag in (fitted[0], fitted[-1]))
    return Finding(
        CODE,
        f"the clocks drift apart: the spikes fit {first} at {times[0]:.2f} s and {last} at "
        f"{times[-1]:.2f} s ({fast:+.0f} millionths) - spikedeblur align --drift finds out",
        {
            "from_s": round(float(times[0]), 4),
            "late_s": round(float(fitted[-1]), 5),
            "drift_ppm": round(fast),
        },
    )
