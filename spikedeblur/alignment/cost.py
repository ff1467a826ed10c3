"""What an alignment will do and cost, from one piece of each kind of its work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from spikedeblur.alignment.fields import Fields
from spikedeblur.alignment.matching import MAX_SHIFT_SHARE, Matcher, Placement
from spikedeblur.alignment.search import (
    GEOMETRIES,
    GEOMETRY_FRAMES,
    ORIENTATIONS,
    Clock,
    at_lag,
    shapes,
)
from spikedeblur.alignment.state import State
from spikedeblur.machine.memory import peak_rss_mb
from spikedeblur.quantities import counted
from spikedeblur.recording.geometry import straight_to_video

if TYPE_CHECKING:
    from spikedeblur.alignment.estimation import Aligner

COARSE_SIGMA = 3.0
# Of the sample and of drawn rigs: steps of the refinement, a fine one as long as three coarse ones.
COARSE_STEPS, FINE_STEPS, FINE_LENGTH = 41, 5, 3
REFINEMENT_MB = 15.0  # of memory for each frame, beyond what the search takes


@dataclass(frozen=True)
class AlignmentPlan:
    """Frames that are compared, sizes (width, height), and what that will cost about."""

    frames: int
    size: tuple[int, int]
    spike_size: tuple[int, int]
    rate_hz: float
    threads: int
    seconds: float
    peak_mb: float

    def figures(self) -> dict[str, Any]:
        """All of it, with units in the names."""
        return {
            "frames": self.frames,
            "width_px": self.size[0],
            "height_px": self.size[1],
            "spike_width_px": self.spike_size[0],
            "spike_height_px": self.spike_size[1],
            "rate_hz": self.rate_hz,
            "threads": self.threads,
            "seconds_estimate": round(self.seconds, 1),
            "peak_rss_mb_estimate": round(self.peak_mb),
        }

    def line(self) -> str:
        """Return it in a line."""
        (width, height), (columns, rows) = self.size, self.spike_size
        return (
            f"{self.frames} frames of {width}x{height} with spikes of {columns}x{rows} at "
            f"{self.rate_hz:g} Hz, {counted(self.threads, 'thread')}: about {self.seconds:.2g} s, "
            f"up to about {self.peak_mb:.3g} MB of memory"
        )


def plan_alignment(aligner: Aligner) -> AlignmentPlan:
    """Try one shape, one lag and one step of an alignment; raises what the alignment would."""
    footage, spike_size = aligner.footage, aligner.spike_size
    counts, lags = aligner.coarse_counts(footage)
    matrix = aligner.matrix
    start = straight_to_video(spike_size, footage.size) if matrix is None else matrix
    state = State(start, 0.0, aligner.exposure)
    share = MAX_SHIFT_SHARE if matrix is None else 0.0
    matcher = Matcher(footage.light, footage.size, spike_size, share)
    clock = Clock(footage, counts, aligner.rate_hz, aligner.offset_s)
    chosen = clock.covered(0.0)
    shape = Placement(state.matrix)
    seconds = 0.0
    if chosen and matrix is None:
        few = chosen[:GEOMETRY_FRAMES]
        pictures = clock.pictures(few, 0.0)
        tried = len(list(shapes(spike_size, footage.size)))
        tried += sum(
            len(list(shapes(spike_size, footage.size, turned, roughly=True)))
            for turned in ORIENTATIONS[1:]
        )
        seconds += tried * _seconds(
            lambda: matcher.correlation(few, matcher.spectra(pictures, shape), together=False)
        )
    lag_s = _seconds(lambda: list(at_lag(matcher, [shape], clock, 0.0)))
    seconds += len(lags) * lag_s * (GEOMETRIES if matrix is None else 1)
    refiner = aligner.refiner(Fields(footage), counts, state, COARSE_SIGMA, aligner.fixed)
    step_s = _seconds(refiner.step, state)
    seconds += (COARSE_STEPS + FINE_STEPS * FINE_LENGTH) * step_s
    if aligner.drift:
        seconds *= max(len(footage.bursts), 1)
    return AlignmentPlan(
        len(footage.light),
        footage.size,
        spike_size,
        aligner.rate_hz,
        torch.get_num_threads(),
        seconds,
        peak_rss_mb() + REFINEMENT_MB * len(footage.light),
    )


def _seconds(work: Callable[..., object], *arguments: object) -> float:
    """Time the second of two goes: what runs first is slower."""
    work(*arguments)
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began
