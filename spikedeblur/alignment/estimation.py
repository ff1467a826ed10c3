"""Alignment of a recording of which a part was read: search, refine, and say how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from spikedeblur.alignment.certainty import checked_errors
from spikedeblur.alignment.cost import COARSE_SIGMA
from spikedeblur.alignment.counting import CumulatedCounts, block_for, cumulate
from spikedeblur.alignment.faults import faults_seen, in_words
from spikedeblur.alignment.fields import Fields
from spikedeblur.alignment.findings import TIME_LIMIT, Alignment, Known, cannot_tell
from spikedeblur.alignment.footage import Footage
from spikedeblur.alignment.refinement import Refiner
from spikedeblur.alignment.search import Hypothesis, distinct, search
from spikedeblur.alignment.state import (
    DRIFT,
    EXPOSURE,
    FEWEST_FRAMES,
    GEOMETRY,
    K1,
    K2,
    READOUT,
    TIME,
    State,
    Step,
    guessed_lens,
)
from spikedeblur.errors import LOGGER
from spikedeblur.io.spikes.source import SpikeSource
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.recording.geometry import homography_of, placed, straight_to_video
from spikedeblur.recording.lenses import Lenses

FARTHEST_LAG = 6.0  # frame intervals either way
LAG_STEP = 0.5
COARSE_PIXELS, FINE_PIXELS = 12_000, 60_000
COARSE_KNOTS, FINE_KNOTS = 8, 24  # per frame interval
FINE_SIGMAS = (2.0, 0.8)
TRIED = 5  # hypotheses that are refined
FIRST_EXPOSURE = 0.7
DRIFT_SIGMAS = 4.0


class Aligner:
    """The steps of one alignment."""

    def __init__(
        self,
        footage: Footage,
        source: SpikeSource,
        stream: SpikeStream,
        known: Known,
        drift: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._progress, self._steps = progress, 0
        self.footage, self.source, self.stream, self.known = footage, source, stream, known
        self.spike_size = stream.width, stream.height
        self.rate_hz = float(stream.rate_hz)
        self.offset_s = float(stream.offset_s if known.offset_s is None else known.offset_s)
        self.exposure, self.drift = self._first_exposure(), drift
        lenses = Lenses.of(source.settings.video_lens, source.settings.spike_lens)
        self.lenses = lenses and lenses.cropped(*self._crop_start)
        self.fixed: list[int] = []
        readout = source.settings.readout_s
        self.readout = float(readout or 0) / footage.interval_s
        # What bends and rolls is only looked for where it seems to.
        self.kept = {K1, K2, READOUT}  # of these, what is not estimated
        self.doubted = set() if source.settings.video_lens is not None else {K1, K2}
        self.doubted |= {READOUT} if readout is None else set()
        if known.offset_s is not None:
            self.fixed.append(TIME)
        if known.exposure is not None:
            self.fixed.append(EXPOSURE)
        self.matrix = None
        self.state: State | None = None  # as found at last, with its `counts`
        if known.homography is not None:
            seen = placed(
                self.spike_size,
                footage.size,
                crop_start=self._crop_start,
                homography=known.homography,
            )
            self.matrix = straight_to_video(self.spike_size, footage.size, seen)
            self.fixed += range(GEOMETRY)

    def _first_exposure(self) -> float:
        """Return the first exposure in frame intervals: the known one, the given one, or any."""
        exposure = self.known.exposure
        if exposure is None:
            if self.source.origin("exposure") == "default":
                return FIRST_EXPOSURE
            exposure = self.source.exposure
        interval_s = Fraction(self.footage.interval_s)
        return float(exposure.seconds(interval_s) / interval_s)

    @property
    def _crop_start(self) -> tuple[int, int]:
        """Left and top, in the sensor, of the part of it that is read."""
        left, top, *_ = self.source.settings.crop or (0, 0)
        return left, top

    def run(self) -> Alignment:
        """Search, refine and judge."""
        state = self._drifting() if self.drift else self.found_alone(self.footage, self.matrix)
        self._begin("refining")
        lags = [state.lag + state.drift * since for since in self.footage.since]
        self.counts = counts = self.counts_at(self.footage, lags, 1.0, FINE_PIXELS, FINE_KNOTS)
        fixed = self.fixed if self.drift else [*self.fixed, DRIFT]
        fields = Fields(self.footage)
        refiner, state, step = self._refined_finely(fields, counts, state, fixed, 8)
        for _ in range(2):  # what one fault hides the other may show
            known = [*fixed, *(self.kept - self.doubted)]
            looking = self.refiner(fields, counts, state, FINE_SIGMAS[-1], known)
            faults = faults_seen(looking, state) & self.kept
            if not faults:
                break
            self.kept -= faults
            LOGGER.info("refining with %s, too", in_words(faults))
            refiner, state, step = self._refined_finely(fields, counts, state, fixed, 12)
        if not self.drift and len(self.footage.bursts) > 1:
            known = [*self.fixed, *self.kept]
            drifting = self.refiner(fields, counts, state, FINE_SIGMAS[-1], known).step(state)
            if self._drifts_apart(drifting):
                LOGGER.info("the clocks drift apart: looking at each part of the video by itself")
                self.drift, self.kept = True, {K1, K2, READOUT}
                return self.run()
        return self._judged(refiner, state, step)

    def _refined_finely(
        self,
        fields: Fields,
        counts: Sequence[CumulatedCounts],
        state: State,
        fixed: Sequence[int],
        iterations: int,
    ) -> tuple[Refiner, State, Step]:
        for sigma in FINE_SIGMAS:
            refiner = self.refiner(fields, counts, state, sigma, [*fixed, *self.kept])
            state, step = refiner.refine(state, iterations)
        return refiner, state, step

    def _begin(self, step: str) -> None:
        """Say what is done next; what went before is done."""
        LOGGER.info(step)
        self._steps += 1
        if self._progress is not None:
            searches = len(self.footage.bursts) if self.drift else 1
            self._progress(self._steps, 2 + 2 * searches)

    def _drifts_apart(self, step: Step) -> bool:
        """Whether one offset would be wrong at both ends; step: with a drift, from none."""
        drift, error = step.delta[DRIFT], math.sqrt(max(step.covariance[DRIFT, DRIFT], 0))
        since = self.footage.since
        sure = abs(drift) > DRIFT_SIGMAS * error
        return sure and abs(drift) * (since[-1] - since[0]) > TIME_LIMIT

    def found_alone(self, footage: Footage, matrix: np.ndarray | None) -> State:
        """The likeliest rough alignment; matrix: the homography, if it is known."""
        self._begin("reading spikes")
        counts, lags = self.coarse_counts(footage)
        self._begin("searching")
        found = search(
            footage,
            counts,
            spike_size=self.spike_size,
            rate_hz=self.rate_hz,
            offset_s=self.offset_s,
            lags=lags,
            matrix=matrix,
        )
        if not found:
            raise cannot_tell(
                f"from fewer than {FEWEST_FRAMES} frames that have spikes",
                "record longer, or check --offset",
            )
        known = [] if matrix is None else list(range(GEOMETRY))
        return self._refined(
            footage,
            counts,
            distinct(found, footage.size, TRIED),
            [*self.fixed, *known, DRIFT, *self.kept],
        )

    def coarse_counts(self, footage: Footage) -> tuple[list[CumulatedCounts], np.ndarray]:
        """The spikes around each burst as the search needs them, and the lags it tries."""
        reach = 0.0 if self.known.offset_s is not None else FARTHEST_LAG
        counts = self.counts_at(
            footage, [0.0] * len(footage.bursts), reach + 1, COARSE_PIXELS, COARSE_KNOTS
        )
        return counts, np.arange(-reach, reach + LAG_STEP / 2, LAG_STEP)

    def _drifting(self) -> State:
        """A rough alignment with a drift: each burst has its own lag, all one homography."""
        matrix, lags = self.matrix, []
        for burst in self.footage.bursts:
            state = self.found_alone(replace(self.footage, bursts=(burst,)), matrix)
            matrix = state.matrix
            lags.append(state.lag)
        if len(lags) < 2:
            return state
        drift, lag = np.polyfit(self.footage.since, lags, 1).tolist()
        return replace(state, lag=lag, drift=drift)

    def counts_at(
        self, footage: Footage, lags: Sequence[float], reach: float, pixels: int, knots: int
    ) -> list[CumulatedCounts]:
        """The spikes around each burst at its lag, `reach` intervals before and after."""
        interval = footage.interval_s
        step = max(1, int(interval * self.rate_hz / knots))
        block = block_for(self.spike_size, pixels)
        margin = (reach + 0.6) * interval * self.rate_hz
        found = []
        for burst, lag in zip(footage.bursts, lags, strict=True):
            first, last = (
                (middle - self.offset_s - lag * interval) * self.rate_hz
                for middle in (burst.middles_s[0], burst.middles_s[-1])
            )
            counts = cumulate(self.stream, first - margin, last + margin, step, block)
            if counts is None:
                raise cannot_tell(
                    "the spikes end before the frames do, or begin after them", "check --offset"
                )
            found.append(counts)
        return found

    def refiner(
        self,
        fields: Fields,
        counts: Sequence[CumulatedCounts],
        state: State,
        sigma: float,
        fixed: Sequence[int],
    ) -> Refiner:
        """Return what refines a state with counts at one level of detail."""
        return Refiner(
            fields,
            counts,
            spike_size=self.spike_size,
            rate_hz=self.rate_hz,
            offset_s=self.offset_s,
            sigma=sigma,
            matrix=state.matrix,
            fixed=fixed,
            lenses=self.lenses,
        )

    def _refined(
        self,
        footage: Footage,
        counts: Sequence[CumulatedCounts],
        hypotheses: Sequence[Hypothesis],
        fixed: Sequence[int],
    ) -> State:
        """The likeliest hypothesis, refined coarsely: all a little, then the better ones."""
        fields = Fields(footage)
        states = [
            State(each.matrix, each.lag, self.exposure, readout=self.readout) for each in hypotheses
        ]
        for iterations, kept in ((4, 2), (12, 1)):
            refined = [
                self.refiner(fields, counts, state, COARSE_SIGMA, fixed).likeliest(
                    state, iterations
                )
                for state in states
            ]
            refined.sort(key=lambda each: -each[1].correlation)
            states = [state for state, _ in refined[:kept]]
            for state, step in refined:
                found = state.lag, state.exposure, step.correlation
                LOGGER.debug("refined: lag %.3f, exposure %.2f, correlation %.5f", *found)
        return states[0]

    def _judged(self, refiner: Refiner, state: State, step: Step) -> Alignment:
        """The findings, unless they are not sure enough."""
        self.state = state
        errors = checked_errors(refiner, state, step, self.footage, self.known, self.drift)
        interval = self.footage.interval_s
        mean_s = float(refiner.middles_s.mean())
        offset_s = self.offset_s + state.lag * interval - state.drift * mean_s
        return Alignment(
            self.source,
            offset_s / (1 - state.drift),
            min(state.exposure, 1.0) * interval,
            self.rate_hz * (1 - state.drift),
            homography_of(state.matrix, self._crop_start),
            interval,
            errors,
            step.correlation,
            step.frames,
            refiner.seen_s(state) - interval / 2,
            None if READOUT in self.kept else state.readout * interval,
            None if K1 in self.kept else guessed_lens(state.radial, self.footage.size),
        )
