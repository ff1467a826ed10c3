"""Warnings of misfits, each with its figure and what to do about it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spikedeblur.agreement.comparison import FrameComparison
from spikedeblur.agreement.finding import Finding
from spikedeblur.agreement.grid import SampleGrid
from spikedeblur.agreement.likeness import AS_IS, Peak
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.recording.exposures import Exposures, StreamExposures
from spikedeblur.recording.geometry import straight_to_video

MISFIT, LATE, ASIDE = "spikes_do_not_match", "spikes_late", "spikes_shifted"
TURNED = "video_is_turned"
ALIGN = "spikedeblur align"


def turned(info: VideoInfo, exposures: Exposures) -> list[Finding]:
    """Say on which picture spikes are laid, where players turn it and no rig is known."""
    if exposures.rig_known or not (any(info.shown) or info.rotation):
        return []
    text = (
        f"players turn the video ({info.rotation} degrees): spikes are laid on the picture as it "
        "is stored; align finds how they lie"
    )
    return [Finding(TURNED, text, {"rotation_degrees": info.rotation})]


def misfit(found: FrameComparison, grid: SampleGrid, exposures: Exposures) -> Finding | None:
    """Return the finding on a comparison; None if frames and spikes fit."""
    if found.untold or (found.fits and not found.better):
        return None
    if exposures.parallax and not found.only_late:  # where they lie is found frame by frame
        return None
    figures: dict[str, Any] = {"spike_match": round(found.here, 3)}
    for peak in found.better:
        figures |= _figures(peak, grid, exposures)
    if found.fits:
        code = LATE if found.better[0].place.lag_s else ASIDE
        ways = " or ".join(_way(peak, grid) for peak in found.better)
        likeness = found.better[0].likeness
        text = (
            f"the spikes fit the frames better {ways} ({likeness:.3f}, {found.here:.3f} as given)"
        )
    elif not found.better:
        how = "hardly" if found.here < 0.4 else "only in part"
        return Finding(
            MISFIT,
            f"the spikes {how} resemble the frames ({found.here:.2f}) - are they of this video? "
            f"{ALIGN} finds how they lie; or try --{_other_flip(exposures)}, or another --offset",
            figures,
        )
    else:
        code, peak = MISFIT, found.better[0]
        if peak.likeness < 0:
            return Finding(
                code,
                f"the spikes are the negative of the frames ({found.here:.2f}) - 0 seems to stand "
                "for a spike: invert the recording's bits",
                figures | {"inverted": True},
            )
        text = (
            f"the spikes hardly resemble the frames ({found.here:.2f}); they fit "
            f"{_way(peak, grid)} ({peak.likeness:.2f})"
        )
    return Finding(code, f"{text} - {_remedy(found.better, grid, exposures)}", figures)


def _way(peak: Peak, grid: SampleGrid) -> str:
    """Describe in words where spikes would fit."""
    place = peak.place
    words = [place.turn] if place.turn else []
    if place.lag_s:
        words.append(
            f"{1000 * abs(place.lag_s):.1f} ms {'later' if place.lag_s > 0 else 'earlier'}"
        )
    down, across = (grid.step * each for each in place.shift)
    if math.hypot(down, across):
        sides = [
            f"{abs(size):.1f} pixels {name}"
            for size, name in (
                (across, "to the right" if across > 0 else "to the left"),
                (down, "lower" if down > 0 else "higher"),
            )
            if abs(size) >= 0.5
        ]
        words += sides
    return " and ".join(words)


def _remedy(better: tuple[Peak, ...], grid: SampleGrid, exposures: Exposures) -> str:
    place = better[0].place
    if len(better) > 1 or any(place.shift):
        return f"{ALIGN} finds out"
    if not isinstance(exposures, StreamExposures):
        return "make the voxel grids anew, from how the recording really lies"
    parts = []
    if place.turn in ("upside down", "turned by 180 degrees"):
        parts.append(f"give --{_other_flip(exposures)}")
    if place.turn in ("mirrored", "turned by 180 degrees"):
        numbers = ", ".join(f"{each:.6g}" for each in mirrored(grid, exposures))
        parts.append(f"write homography = [{numbers}] into the sidecar")
    if place.lag_s:
        parts.append(f"give --offset {_seconds(offset(place.lag_s, exposures))}")
    return " and ".join(parts)


def offset(lag_s: float, exposures: StreamExposures) -> float:
    """The offset of spikes that are so much later, seconds, to a tenth of a millisecond."""
    return round(float(exposures.stream.offset_s) + lag_s, 4) + 0.0  # not -0.0


def mirrored(grid: SampleGrid, exposures: StreamExposures) -> tuple[float, ...]:
    """The homography, as in a sidecar, that lays the mirrored spikes where they lie now."""
    stream = exposures.stream
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    turn = np.array([[-1, 0, stream.width], [0, 1, 0], [0, 0, 1.0]])
    left, top = stream.corner
    into_crop = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1.0]])
    laid = straight_to_video(grid.spike_size, grid.video_size, exposures.homography)
    out_of_region = np.array([[1, 0, grid.corner[0]], [0, 1, grid.corner[1]], [0, 0, 1.0]])
    matrix = out_of_region @ np.linalg.inv(half) @ laid @ turn @ half @ into_crop
    return tuple((matrix / matrix[2, 2]).ravel().tolist())


def _figures(peak: Peak, grid: SampleGrid, exposures: Exposures) -> dict[str, Any]:
    place = peak.place
    figures: dict[str, Any] = {"better_match": round(peak.likeness, 3)}
    if place.turn != AS_IS:
        figures["turn"] = place.turn
    if place.lag_s:
        figures["late_s"] = round(place.lag_s, 5)
        if isinstance(exposures, StreamExposures):
            figures["offset_s"] = offset(place.lag_s, exposures)
    if any(place.shift):
        figures["shift_px"] = [round(grid.step * each, 2) for each in place.shift[::-1]]
    return figures


def _other_flip(exposures: Exposures) -> str:
    flipped = isinstance(exposures, StreamExposures) and exposures.stream.flip
    return "no-flip" if flipped else "flip"


def _seconds(value: float) -> str:
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
