"""Exposures of a part of each frame: the spikes that looked there, on the part's own pixels."""

from __future__ import annotations

import math

from spikedeblur.errors import UsageError
from spikedeblur.io.region import REGION_STEP
from spikedeblur.quantities import Region
from spikedeblur.recording.exposures import Exposures, StreamExposures
from spikedeblur.recording.geometry import moved_to_region, placed, seen_part
from spikedeblur.recording.voxel_exposures import VoxelExposures

__all__ = ["region_exposures", "region_grid"]

MARGIN = 8  # spike pixels around a region, so that its borders are no borders of the sensor


def region_grid(exposures: Exposures, video_size: tuple[int, int]) -> tuple[int, int]:
    """Steps across and down, in frame pixels, of the grid on whose lines regions are to begin.

    Where spikes are scaled onto the frame no line cuts a spike pixel, so that the region gets the
    counts that it gets in the whole frame, not some that are interpolated between them.
    video_size: (width, height), which the steps are where grids of counts cannot be cut.
    """
    if exposures.homography is not None or exposures.lenses is not None:
        return REGION_STEP, REGION_STEP
    if not isinstance(exposures, StreamExposures):
        return video_size
    across, down = (
        math.lcm(REGION_STEP, pixels // math.gcd(pixels, spikes))
        for pixels, spikes in zip(video_size, exposures.size, strict=True)
    )
    return across, down


def region_exposures(
    exposures: Exposures, region: Region, video_size: tuple[int, int]
) -> Exposures:
    """The exposures of `region`, made of those of whole frames of `video_size` (width, height).

    Of a stream only the spike pixels that look there are read. Raises UsageError if none does.
    """
    scaled = exposures.homography is None and exposures.lenses is None
    if scaled and isinstance(exposures, StreamExposures):
        whole_pixels = _whole_pixels(exposures.size, region, video_size)
        if whole_pixels is not None:
            return exposures.cropped(whole_pixels, None)
    homography = moved_to_region(exposures.size, video_size, region, exposures.homography)
    lenses = exposures.lenses and exposures.lenses.in_region(region.left, region.top)
    part = seen_part(exposures.size, (region.width, region.height), homography, MARGIN, lenses)
    if part is None:
        raise UsageError(
            f"the spike camera does not see the region ({region} seen) - choose another, or "
            "correct the sidecar's homography"
        )
    if isinstance(exposures, VoxelExposures):
        return exposures.placed(homography, lenses)
    if not isinstance(exposures, StreamExposures):
        raise UsageError(
            f"a region needs spikes or voxel grids ({type(exposures).__name__} seen) - give a "
            "recording, a stream or a voxel file"
        )
    moved = placed(part[2:], video_size, crop_start=part[:2], homography=homography)
    assert moved is not None
    return exposures.cropped(part, moved, lenses and lenses.cropped(*part[:2]))


def _whole_pixels(
    size: tuple[int, int], region: Region, video_size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Left, top, width and height of a region in spike pixels; None where it cuts some of them."""
    sides = region.left, region.top, region.width, region.height
    scaled = [
        divmod(side * spikes, pixels)
        for side, spikes, pixels in zip(sides, size * 2, video_size * 2, strict=True)
    ]
    if any(rest for _, rest in scaled):
        return None
    left, top, width, height = (whole for whole, _ in scaled)
    return left, top, width, height
