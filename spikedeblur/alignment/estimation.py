"""Alignment of a recording: read a bounded part of it, search, refine, and say how sure it is."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from spikedeblur.alignment.counting import CumulatedCounts, block_for, cumulate
from spikedeblur.alignment.footage import Footage, read_footage
from spikedeblur.alignment.refinement import (
    DRIFT,
    EXPOSURE,
    GEOMETRY,
    TIME,
    Refiner,
    State,
    Step,
)
from spikedeblur.alignment.search import Hypothesis, pitch_of, search
from spikedeblur.errors import InputError
from spikedeblur.geometry import spike_to_video
from spikedeblur.io.sidecar import Sidecar
from spikedeblur.io.spike_source import (
    SpikeOptions,
    SpikeSource,
    find_sidecar,
    resolve_spike_source,
)
from spikedeblur.io.spikes import SpikeStream
from spikedeblur.quantities import Exposure, exact

LOGGER = logging.getLogger("spikedeblur")

FARTHEST_LAG = 6.0  # frame intervals either way
LAG_STEP = 0.5
COARSE_PIXELS, FINE_PIXELS = 12_000, 60_000
COARSE_KNOTS, FINE_KNOTS = 8, 24  # per frame interval
TRIED = 5  # hypotheses that are refined
FIRST_EXPOSURE = 0.7
# What an alignment has to be within, and what no standard error is believed to be below.
TIME_LIMIT, PLACE_LIMIT = 0.02, 0.5  # frame intervals; video pixels
TIME_FLOOR, EXPOSURE_FLOOR, PLACE_FLOOR = 0.002, 0.004, 0.03
MISTRUST = 1.5  # times the standard error
LEAST_CONFIDENCE = 0.9
LEAST_CORRELATION = 0.6


@dataclass(frozen=True)
class Known:
    """What need not be estimated; None is estimated. homography: as in a sidecar."""

    offset_s: Fraction | None = None
    exposure: Exposure | None = None
    homography: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Alignment:
    """How a recording lies, with its standard errors.

    offset_s, exposure_s, homography: as in a sidecar. homography_error: video pixels, on average
    over what both cameras see. correlation: of frames and spikes, at most 1. confidence: the
    chance, by the errors estimated, that offset and exposure are within 2 % of the frame interval
    and the homography within half a video pixel. frames: how many it is taken from; seen_s: the
    time at which one of them begins.
    """

    source: SpikeSource
    offset_s: float
    exposure_s: float
    homography: tuple[float, ...]
    interval_s: float
    offset_error_s: float
    exposure_error_s: float
    homography_error: float
    correlation: float
    confidence: float
    frames: int
    seen_s: float

    def sidecar(self) -> Sidecar:
        """All that is known of the recording now."""
        source = self.source
        return Sidecar(width=source.width, height=source.height, rate_hz=source.rate_hz,
                       flip=source.flip, bit_order=source.bit_order,
                       offset_s=_rounded(self.offset_s), exposure_s=_rounded(self.exposure_s),
                       homography=tuple(float(f"{each:.9g}") for each in self.homography))


def align(video: Path, spikes: Path, options: SpikeOptions | None = None,
          known: Known | None = None) -> Alignment:
    """Align a recording by what both cameras saw.

    spikes: a .dat, read by `options`, else its sidecar, else by inference. Their offset is where
    the search for the offset begins, six frame intervals either way.
    Raises `InputError` if it cannot tell: too little of it, no texture, no motion, no likeness;
    and what reading the files raises.
    """
    footage = read_footage(video)
    source = resolve_spike_source(spikes, options or SpikeOptions(), find_sidecar(spikes),
                                  duration_s=footage.duration_s,
                                  interval_s=footage.first_interval_s)
    with source.open(footage.first_s) as stream:
        return Aligner(footage, source, stream, known or Known()).run()


class Aligner:
    """The steps of one alignment."""

    def __init__(self, footage: Footage, source: SpikeSource, stream: SpikeStream,
                 known: Known) -> None:
        self.footage, self.source, self.stream, self.known = footage, source, stream, known
        self.spike_size = stream.width, stream.height
        self.rate_hz = float(stream.rate_hz)
        self.offset_s = float(stream.offset_s if known.offset_s is None else known.offset_s)
        self.exposure = FIRST_EXPOSURE
        fixed = [DRIFT]
        if known.offset_s is not None:
            fixed.append(TIME)
        if known.exposure is not None:
            interval_s = Fraction(footage.interval_s)
            self.exposure = float(known.exposure.seconds(interval_s) / interval_s)
            fixed.append(EXPOSURE)
        self.matrix = None
        if known.homography is not None:
            self.matrix = spike_to_video(self.spike_size, footage.size, known.homography)
            fixed += range(GEOMETRY)
        self.fixed = fixed

    def run(self) -> Alignment:
        """Search, refine and judge."""
        LOGGER.info("reading the spikes")
        reach = 0.0 if self.known.offset_s is not None else FARTHEST_LAG
        counts = self._counts(0.0, reach + 1, COARSE_PIXELS, COARSE_KNOTS)
        LOGGER.info("searching")
        lags = np.arange(-reach, reach + LAG_STEP / 2, LAG_STEP)
        found = search(self.footage, counts, spike_size=self.spike_size, rate_hz=self.rate_hz,
                       offset_s=self.offset_s, lags=lags, matrix=self.matrix)
        if not found:
            raise cannot_tell("hardly any frame has spikes at these times", "check --offset")
        LOGGER.info("refining")
        state, step = self._refined(counts, distinct(found, self.footage.size, TRIED))
        for pixels, sigma, iterations in ((FINE_PIXELS, 2.0, 8), (FINE_PIXELS, 1.0, 8)):
            if sigma == 2.0:
                counts = self._counts(state.lag, 1.0, pixels, FINE_KNOTS)
            refiner = self._refiner(counts, state, sigma)
            state, step = refiner.refine(state, iterations)
        return self._judged(refiner, state, step)

    def _counts(self, lag: float, reach: float, pixels: int, knots: int) -> list[CumulatedCounts]:
        """The spikes around each burst, `reach` intervals before and after, at a lag."""
        interval = self.footage.interval_s
        step = max(1, int(interval * self.rate_hz / knots))
        block = block_for(self.spike_size, pixels)
        found = []
        for burst in self.footage.bursts:
            first, last = ((middle - self.offset_s - lag * interval) * self.rate_hz
                           for middle in (burst.middles_s[0], burst.middles_s[-1]))
            margin = (reach + 0.6) * interval * self.rate_hz
            counts = cumulate(self.stream, first - margin, last + margin, step, block)
            if counts is None:
                raise cannot_tell("the spikes end before the frames do, or begin after them",
                                  "check --offset")
            found.append(counts)
        return found

    def _refiner(self, counts: Sequence[CumulatedCounts], state: State, sigma: float) -> Refiner:
        return Refiner(self.footage, counts, spike_size=self.spike_size, rate_hz=self.rate_hz,
                       offset_s=self.offset_s, sigma=sigma, pitch=pitch_of(state.matrix),
                       fixed=self.fixed)

    def _refined(self, counts: Sequence[CumulatedCounts], hypotheses: Sequence[Hypothesis]
                 ) -> tuple[State, Step]:
        """The likeliest hypothesis, refined coarsely: all a little, then the better ones."""
        tried = [(State(each.matrix, each.lag, self.exposure), Step.none()) for each in hypotheses]
        for iterations, kept in ((4, 2), (12, 1)):
            refined = [self._refiner(counts, state, 3.0).refine(state, iterations)
                       for state, _ in tried]
            tried = sorted(refined, key=lambda each: -each[1].correlation)[:kept]
            LOGGER.debug("refined: %s", "; ".join(
                f"lag {state.lag:.3f}, exposure {state.exposure:.2f}, correlation "
                f"{step.correlation:.5f}" for state, step in refined))
        return tried[0]

    def _judged(self, refiner: Refiner, state: State, step: Step) -> Alignment:
        if step.frames == 0 or step.correlation < LEAST_CORRELATION:
            raise cannot_tell(f"frames and spikes show nothing alike (correlation "
                              f"{step.correlation:.2f} at best)", "check --spike-size, --flip and "
                              "--offset")
        time, exposure = (MISTRUST * math.sqrt(max(step.covariance[each, each], 0))
                          for each in (TIME, EXPOSURE))
        place = MISTRUST * refiner.place_error(state, step)
        errors = [0.0 if known is not None else math.hypot(error, floor)
                  for known, error, floor in (
                      (self.known.offset_s, time, TIME_FLOOR),
                      (self.known.exposure, exposure, EXPOSURE_FLOOR),
                      (self.known.homography, place, PLACE_FLOOR))]
        limits = TIME_LIMIT, TIME_LIMIT, PLACE_LIMIT
        chances = [math.erf(limit / error / math.sqrt(2)) if error else 1.0
                   for limit, error in zip(limits, errors, strict=True)]
        interval = self.footage.interval_s
        LOGGER.debug("errors: offset %.4f, exposure %.4f, homography %.3f px; correlation %.5f",
                     *errors, step.correlation)
        if not step.informative or min(chances) < LEAST_CONFIDENCE:
            worst = int(np.argmin(chances))
            raise cannot_tell(*(
                (f"the offset (known to {errors[0]:.2g} of a frame interval)",
                 "record more motion, or give --fix offset=S"),
                (f"the exposure (known to {errors[1]:.2g} of the frame interval)",
                 "record more motion, or give --fix exposure=S"),
                (f"the homography (known to {errors[2]:.2g} pixels)",
                 "record more texture, or give --fix homography=..."))[worst])
        return Alignment(self.source, self.offset_s + state.lag * interval,
                         min(state.exposure, 1.0) * interval, _as_sidecar(state.matrix), interval,
                         errors[0] * interval, errors[1] * interval, errors[2], step.correlation,
                         min(chances), step.frames, refiner.seen_s(state) - interval / 2)


def cannot_tell(why: str, advice: str) -> InputError:
    """The one way in which an alignment fails."""
    return InputError(f"cannot tell {why} - {advice}")


def distinct(hypotheses: Sequence[Hypothesis], video_size: tuple[int, int],
             most: int) -> list[Hypothesis]:
    """The best hypotheses that are not neighbours of better ones."""
    kept: list[Hypothesis] = []
    for each in hypotheses:
        if len(kept) == most:
            break
        if all(abs(each.lag - other.lag) > 0.6
               or apart(each.matrix, other.matrix, video_size) > 0.05 * video_size[0]
               for other in kept):
            kept.append(each)
    return kept


def apart(one: np.ndarray, other: np.ndarray, video_size: tuple[int, int]) -> float:
    """How far two matrices take the points that one takes to the video's middle part, pixels."""
    width, height = video_size
    points = np.array([[0.3, 0.7, 0.3, 0.7], [0.3, 0.3, 0.7, 0.7]]) * [[width], [height]]
    moved = other @ np.linalg.inv(one) @ np.vstack([points, np.ones(4)])
    return float(np.linalg.norm(moved[:2] / moved[2] - points, axis=0).mean())


def _as_sidecar(matrix: np.ndarray) -> tuple[float, ...]:
    """Centre of the first pixel at (0.5, 0.5) -> at (0, 0)."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    moved = np.linalg.inv(half) @ matrix @ half
    return tuple((moved / moved[2, 2]).ravel().tolist())


def _rounded(seconds: float) -> Fraction:
    """To the tenth of a microsecond, which no camera's clock is better than."""
    return exact(round(seconds, 7))
