"""Jumps of the clock amid a recording: planes that the spike camera lost, or frames of the video.

Bursts of frames that each fit at a lag of their own, which no drift explains, tell that there is
one, and how large it is. Where it lies is found by halving: a burst between is taken apart into the
frames that fit as those before, and those that fit as those behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from spikedeblur.alignment.certainty import LEAST_CORRELATION
from spikedeblur.alignment.estimation import FINE_KNOTS, FINE_PIXELS, FINE_SIGMAS, Aligner
from spikedeblur.alignment.fields import Fields
from spikedeblur.alignment.footage import BURST_FRAMES, Burst, Footage
from spikedeblur.alignment.state import TIME, UNKNOWNS, State
from spikedeblur.errors import LOGGER, InputError

LEAST_JUMP = 0.02  # frame intervals
JUMP_SIGMAS = 4.0
UNLIKE = 0.05  # of correlation, by which a burst fits worse than others where its lag is wrong
MOST_PROBES = 24
ALL_BUT_TIME = [number for number in range(UNKNOWNS) if number != TIME]

Jump = tuple[float, float]
"""Time on the video's clock, and by how much the offset is greater from then on, seconds."""


@dataclass(frozen=True)
class _Part:
    """A burst at its own lag (frame intervals), known within `error`."""

    burst: Burst
    lag: float
    error: float
    correlation: float


class JumpSearch:
    """Looks for jumps after an alignment, or after one that failed.

    read: so many frames from a time on, in seconds.
    """

    def __init__(self, aligner: Aligner, read: Callable[[float, int], Burst]) -> None:
        self.aligner, self._read = aligner, read
        self.interval = aligner.footage.interval_s
        self._probes = 0

    def found(self) -> tuple[Jump, ...]:
        """All jumps between the bursts of the alignment, in the order of time; none if it holds."""
        aligner = self.aligner
        bursts = aligner.footage.bursts
        if aligner.state is not None and self._holds(aligner.state):
            return ()
        state = self._base()
        if state is None:
            return ()
        try:
            parts = [self._own(burst, state) for burst in bursts]
        except InputError:  # a part that tells nothing by itself
            return ()
        self._best = max(part.correlation for part in parts)
        if min(part.correlation for part in parts) < self._best - 2 * UNLIKE or _drifts(parts):
            return ()
        LOGGER.info("the clock jumps: looking where")
        jumps: list[Jump] = []
        for one, other in pairwise(parts):
            jumps += self._between(one, other, state)
        return tuple(jumps)

    def _holds(self, state: State) -> bool:
        """Whether no burst would rather have a lag of its own."""
        footage, likenesses = self.aligner.footage, []
        times = zip(footage.bursts, footage.since, self.aligner.counts, strict=True)
        for burst, since, counts in times:
            alone = self._footage(burst)
            own = replace(state, lag=state.lag + state.drift * since, drift=0.0)
            refiner = self.aligner.refiner(
                Fields(alone), [counts], own, FINE_SIGMAS[-1], ALL_BUT_TIME
            )
            step = refiner.step(own)
            error = math.sqrt(max(step.covariance[TIME, TIME], 0))
            if abs(step.delta[TIME]) > max(LEAST_JUMP / 2, JUMP_SIGMAS * error):
                return False
            likenesses.append(step.correlation)
        return max(likenesses) - min(likenesses) < UNLIKE

    def _base(self) -> State | None:
        """How the cameras lie: as the alignment found, or what one burst alone says."""
        aligner = self.aligner
        if aligner.state is not None:
            return replace(aligner.state, drift=0.0)
        tried: list[tuple[float, State]] = []
        for burst in aligner.footage.bursts:
            try:
                alone = self._footage(burst)
                state = aligner.found_alone(alone, aligner.matrix)
                tried.append((self._likeness(alone, state), state))
            except InputError:
                continue
        best = max(tried, key=lambda each: each[0], default=None)
        return best[1] if best is not None and best[0] >= LEAST_CORRELATION else None

    def _likeness(self, footage: Footage, state: State) -> float:
        counts = self.aligner.counts_at(footage, [state.lag], 1.0, FINE_PIXELS, FINE_KNOTS)
        refiner = self.aligner.refiner(
            Fields(footage), counts, state, FINE_SIGMAS[-1], ALL_BUT_TIME
        )
        return refiner.step(state).correlation

    def _own(self, burst: Burst, state: State) -> _Part:
        """A burst at the lag that fits it best. Raises `InputError` where it tells nothing."""
        alone, aligner = self._footage(burst), self.aligner
        rough = aligner.found_alone(alone, state.matrix)
        fields, best = Fields(alone), replace(state, lag=rough.lag)
        counts = aligner.counts_at(alone, [rough.lag], 1.0, FINE_PIXELS, FINE_KNOTS)
        for sigma in FINE_SIGMAS:
            refiner = aligner.refiner(fields, counts, best, sigma, ALL_BUT_TIME)
            best, step = refiner.refine(best, 8)
        error = math.sqrt(max(step.covariance[TIME, TIME], 0))
        return _Part(burst, best.lag, error, step.correlation)

    def _between(self, one: _Part, other: _Part, state: State) -> list[Jump]:
        """The jumps between two bursts."""
        if abs(other.lag - one.lag) <= max(LEAST_JUMP, JUMP_SIGMAS * (one.error + other.error)):
            return []
        before, after = one.burst.middles_s[-1], other.burst.middles_s[0]
        while after - before > 1.5 * self.interval and self._probes < MOST_PROBES:
            self._probes += 1
            middle = (before + after) / 2 - BURST_FRAMES / 2 * self.interval
            burst = self._read(max(middle, one.burst.middles_s[0]), BURST_FRAMES)
            cut, likeness = self._split(burst, one.lag, other.lag, state)
            if likeness < self._best - 2 * UNLIKE and 0 < cut < len(burst.light):
                try:
                    third = self._own(burst, state)
                except InputError:
                    break
                if third.correlation < self._best - 2 * UNLIKE:
                    break  # a jump within it, of which both sides are short
                return [*self._between(one, third, state), *self._between(third, other, state)]
            middles = burst.middles_s
            if cut > 0:
                before = max(before, min(middles[cut - 1], after))
            if cut < len(middles):
                after = min(after, max(middles[cut], before))
            if 0 < cut < len(middles):
                break
        return [self._jump((before + after) / 2, one.lag, other.lag, state)]

    def _jump(self, about_s: float, one: float, other: float, state: State) -> Jump:
        """The jump near a time: between the last frame that fits as before, and the first that
        fits as behind.
        """
        around = math.ceil(abs(other - one)) + BURST_FRAMES // 2
        burst = self._read(about_s - around * self.interval, 2 * around)
        cut, _ = self._split(burst, one, other, state)
        tables = self._terms(burst, one, other, state)
        least = self._best - 4 * UNLIKE
        fits = [
            table[:, 0] / np.sqrt(np.maximum(table[:, 1] * table[:, 2], 1e-24)) for table in tables
        ]
        last, first = max(cut - 1, 0), min(cut, len(burst.light) - 1)
        while last > 0 and fits[0][last] < least:
            last -= 1
        while first < len(burst.light) - 1 and fits[1][first] < least:
            first += 1
        half = min(state.exposure, 1.0) * self.interval / 2
        size_s = (other - one) * self.interval
        middle = (burst.middles_s[last] + half + burst.middles_s[first] - half) / 2
        return round(float(middle - max(size_s, 0) / 2), 6), round(float(size_s), 7)

    def _split(self, burst: Burst, one: float, other: float, state: State) -> tuple[int, float]:
        """How many frames of a burst fit at the one lag, the rest at the other, and how well."""
        first, second = self._terms(burst, one, other, state)
        likenesses = []
        for cut in range(len(burst.light) + 1):
            product, *energies = np.concatenate([first[:cut], second[cut:]]).sum(axis=0)
            likenesses.append(product / max(math.sqrt(energies[0] * energies[1]), 1e-12))
        best = int(np.argmax(likenesses))
        return best, float(likenesses[best])

    def _terms(
        self, burst: Burst, one: float, other: float, state: State
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of each frame at either lag: product, and energies of spikes and frame, (F, 3)."""
        alone, found = self._footage(burst), []
        reach = abs(other - one) + 1
        counts = self.aligner.counts_at(alone, [(one + other) / 2], reach, FINE_PIXELS, FINE_KNOTS)
        refiner = self.aligner.refiner(Fields(alone), counts, state, FINE_SIGMAS[0], ALL_BUT_TIME)
        for lag in (one, other):
            found.append(refiner.terms(replace(state, lag=lag)))
        return found[0], found[1]

    def _footage(self, burst: Burst) -> Footage:
        return replace(self.aligner.footage, bursts=(burst,))


def _drifts(parts: list[_Part]) -> bool:
    """Whether lags lie on a line, as of clocks that drift apart, or all are one."""
    times = np.array([part.burst.middles_s.mean() for part in parts])
    lags = np.array([part.lag for part in parts])
    line = np.polyval(np.polyfit(times, lags, 1), times)
    allowed = [max(LEAST_JUMP / 3, JUMP_SIGMAS * part.error) for part in parts]
    return bool((np.abs(lags - line) <= allowed).all())
