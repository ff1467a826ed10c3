"""Agreement over a whole video: clocks that drift, recordings that stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikedeblur.agreement.comparison import LATE, LEAST_FRAME_LIKENESS, FrameComparison, Single
from spikedeblur.agreement.finding import Finding

CODE = "spikes_drift"
LOST = 0.5  # of the least likeness to be expected: less, and a frame does not fit
LEAST_FRAMES = 4
STEADY = 0.25  # of the change of a lag, that it may scatter around a straight line


def drifting(found: FrameComparison, exposure_s: float) -> Finding | None:
    """That all frames fit, but later and later; None else."""
    timed = [each for each in found.each if each.lag_s is not None]
    if _lost(found) or len(timed) < LEAST_FRAMES or not found.moving:
        return None
    return _steadily(timed, exposure_s)


def stopping(found: FrameComparison) -> Finding | None:
    """That some frames fit before, or behind, others that do not; None else.

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
    figures = {"spike_match": round(worst, 3), "frames_fitting": len(kept)}
    if kept[-1].start_s < missed[0].start_s:
        where = f"from {missed[0].start_s:.3f} s on; they do up to {kept[-1].start_s:.3f} s"
        figures["from_s"] = round(missed[0].start_s, 4)
    elif missed[-1].start_s < kept[0].start_s:
        where = f"before {kept[0].start_s:.3f} s; they do from there on"
        figures["until_s"] = round(kept[0].start_s, 4)
    else:
        return None
    return Finding(
        CODE,
        f"the spikes do not resemble the frames ({worst:.2f}) {where} - does a clock drift "
        "(spikedeblur align --drift), or a recording stop?",
        figures,
    )


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
    first, last = (
        f"{1000 * abs(lag):.1f} ms {'later' if lag > 0 else 'earlier'}"
        for lag in (fitted[0], fitted[-1])
    )
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
