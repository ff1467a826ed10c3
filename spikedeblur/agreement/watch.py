"""The check goes on while a video is deblurred: spikes that fitted at first may drift away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spikedeblur.agreement.comparison import FrameComparison, compare_near
from spikedeblur.agreement.finding import Finding
from spikedeblur.agreement.glimpses import Glimpse, Look, glimpse
from spikedeblur.agreement.grid import SampleGrid
from spikedeblur.agreement.sensor import trusted_views
from spikedeblur.agreement.verdict import Agreement
from spikedeblur.errors import LOGGER
from spikedeblur.recording.exposures import ExposedFrame, Exposures, StreamExposures

EVERY_S, EVERY_FRAMES = 1.0, 16  # one frame is looked at in so much of the video: the longer
TOGETHER = 3  # frames that are judged together
IN_A_ROW = 2  # judgements that have to agree before a warning
FRAME_VALUES = 1 << 25  # spikes that are read for a frame


def watched(
    frames: Iterable[ExposedFrame], exposures: Exposures | None, before: Agreement | None
) -> Iterator[ExposedFrame]:
    """Pass frames on, and warn, once, if their spikes stop to fit.

    before: what was found beforehand; spikes that never fitted have been warned of.
    """
    if exposures is None or before is None or before.misfits:
        yield from frames
        return
    watch = DriftWatch(exposures)
    for exposed in frames:
        watch.look(exposed)
        yield exposed


class DriftWatch:
    """Compares a frame now and then with its spikes, and warns once if they stop to fit."""

    def __init__(self, exposures: Exposures) -> None:
        self._exposures = exposures
        self._grid: SampleGrid | None = None
        self._asleep = False
        self._views: list[Glimpse] = []
        self._astray: list[float] = []  # when judgements in a row began that found no fit
        self._next_s = float("-inf")
        self._frames = EVERY_FRAMES

    def look(self, exposed: ExposedFrame) -> None:
        """Look at a frame, if one is due."""
        time_s = float(exposed.frame.span[0])
        self._frames += 1
        due = self._frames >= EVERY_FRAMES and time_s >= self._next_s
        if self._asleep or exposed.coverage < 1 or not due:
            return
        self._frames, self._next_s = 0, time_s + EVERY_S
        height, width = exposed.frame.rgb.shape[:2]
        if self._grid is None:
            seen = self._exposures
            rig = seen.homography, (0, 0), seen.lenses, seen.transfer
            self._grid = SampleGrid(seen.size, (width, height), *rig)
        reach = 1.0 if isinstance(self._exposures, StreamExposures) else 0.0
        view = glimpse(
            Look.at(exposed.frame, self._grid), self._exposures, self._grid, reach, FRAME_VALUES
        )
        if view is not None:
            self._views.append(view)
        if len(self._views) == TOGETHER:
            self._judge(self._views, self._grid)
            self._views = []

    def _judge(self, views: list[Glimpse], grid: SampleGrid) -> None:
        views, *_ = trusted_views(views, grid)
        found = compare_near(views, grid)
        nothing = not any(view.knots.fired.any() for view in views)
        if found.untold and not nothing:
            return
        fits = found.fits and not found.better
        displaced = self._exposures.parallax and not found.only_late
        if (fits or displaced) and not nothing:
            self._astray.clear()
            return
        self._astray.append(views[0].start_s)
        if len(self._astray) == IN_A_ROW:
            self._asleep = True
            finding = lost(self._astray[0], found)
            LOGGER.warning("%s", finding.text, extra={"event": finding.event})


def lost(from_s: float, found: FrameComparison) -> Finding:
    """Return the finding on spikes that have stopped to fit."""
    match = max(found.here, 0.0) if found.here == found.here else 0.0
    how, figures = (
        f"they hardly resemble the frames ({match:.2f})",
        {"spike_match": round(match, 3)},
    )
    if found.fits and found.better:
        lag_ms = 1000 * found.better[0].place.lag_s
        how = f"they fit {abs(lag_ms):.1f} ms {'later' if lag_ms > 0 else 'earlier'}"
        if not lag_ms:
            how = "they lie beside the frames"
        figures["late_s"] = round(lag_ms / 1000, 5)
    return Finding(
        "spikes_drift",
        f"the spikes fit no longer from {from_s:.2f} s on: {how} - does a clock drift "
        "or jump (spikedeblur align finds out), or a recording stop?",
        {"from_s": round(from_s, 3), **figures},
    )
