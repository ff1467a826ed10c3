"""The check before a run: whether these spikes and this video belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spikedeblur.agreement.comparison import FrameComparison, compare_far, compare_near
from spikedeblur.agreement.coverage import reckoned
from spikedeblur.agreement.drift import drifting, jumping, silent, stopping
from spikedeblur.agreement.finding import Finding
from spikedeblur.agreement.glimpses import Look, glimpses
from spikedeblur.agreement.grid import Plane, SampleGrid
from spikedeblur.agreement.mistaken import bits_reversed, with_repeat
from spikedeblur.agreement.sampling import sampled_views
from spikedeblur.agreement.sensor import dead_recording, trusted_views
from spikedeblur.agreement.verdict import Agreement
from spikedeblur.agreement.wording import misfit, turned
from spikedeblur.io.video import VideoSelection, VideoSource
from spikedeblur.recording.exposures import Exposures, StreamExposures

FAR_INTERVALS, FAR_S = 3.0, 0.05  # how much later or earlier spikes are looked for: the greater
FAR_FRAMES = 4
ALL = VideoSelection()


def check_spikes(
    video: VideoSource, exposures: Exposures, selection: VideoSelection = ALL
) -> Agreement:
    """Compare a few frames, spread over a video, with the spikes of their exposures.

    Reads at most about a second's worth of either. Raises `InputError` where spikes cover no frame
    at all, and what reading the video raises.
    """
    with selection.open(video) as reader:
        info, first = reader.info, next(iter(reader))
    coverage = reckoned(info, first, exposures)
    if coverage is not None:
        coverage.check()
    read = info.surroundings
    corner = (0, 0) if read is None else (read.left, read.top)
    size = info.width, info.height
    rig = exposures.homography, corner, exposures.lenses, exposures.transfer
    grid = SampleGrid(exposures.size, size, *rig)
    looks = sampled_views(video, selection, info, first, exposures, grid)
    found = judged(looks, exposures, grid)
    return replace(found, coverage=coverage, notices=tuple(turned(info, exposures)))


def judged(looks: Sequence[Look], exposures: Exposures, grid: SampleGrid) -> Agreement:
    """The verdict on some frames, in the order of time."""
    misfits: list[Finding] = []
    views = list(glimpses(looks, exposures, grid, 1.0 if _has_time(exposures) else 0.0))
    if (dead := dead_recording(views)) is not None:
        return Agreement(0.0, frames=len(views), misfits=(dead,))
    everywhere, views = views, [view for view in views if view.knots.fired.any()]
    views, odd, trusted = trusted_views(views, grid)
    found = compare_near(views, grid)
    if found.untold:
        return Agreement(None, frames=len(views), untold=found.untold)
    finding = drifting(found, views[0].exposure_s)
    if finding is None:
        if found.better or not found.fits:
            seen = [view.look for view in views]
            found, finding = _farther(seen, exposures, grid, found, trusted)
            finding = bits_reversed(seen, exposures, grid, found) or finding
        finding = finding or stopping(found) or misfit(found, grid, exposures)
    finding = finding or silent(everywhere, found)
    if finding is not None:
        misfits.append(with_repeat(finding, exposures, views[0].exposure_s))
    if found.fits and odd is not None:
        misfits += odd.findings()
    return Agreement(
        float(np.clip(found.here, 0, 1)),
        found.late_s if found.fits and found.moving else None,
        found.shift_px(grid) if found.fits else None,
        len(views),
        misfits=tuple(misfits),
    )


def _farther(
    looks: Sequence[Look],
    exposures: Exposures,
    grid: SampleGrid,
    found: FrameComparison,
    trusted: Plane | None,
) -> tuple[FrameComparison, Finding | None]:
    """The same with other times and turns tried; and that the time jumps, if it does."""
    places = np.linspace(0, len(looks) - 1, min(FAR_FRAMES, len(looks))).round().astype(int)
    few = [looks[place] for place in places]
    exposure_s, interval_s = _times(few[0], exposures)
    reach_s = max(FAR_INTERVALS * interval_s, FAR_S) if _has_time(exposures) else 0.0
    views = list(glimpses(few, exposures, grid, reach_s / exposure_s, trusted))
    if not views:
        return found, None
    step_s = min(exposure_s, interval_s) / 2
    count = int(reach_s / step_s)
    lags = [number * step_s for number in range(-count, count + 1)]
    return compare_far(views, grid, lags, found), jumping(views, grid, lags, found.wanted)


def _times(look: Look, exposures: Exposures) -> tuple[float, float]:
    """Exposure and interval of a frame, seconds."""
    start, interval = look.frame.span
    if not isinstance(exposures, StreamExposures):
        return float(interval), float(interval)
    ticks = exposures.interval(start, interval).length
    return float(ticks / exposures.stream.rate_hz), float(interval)


def _has_time(exposures: Exposures) -> bool:
    """Return whether there are spikes beside those of the exposures."""
    return isinstance(exposures, StreamExposures)
