"""Exposures of a part of each frame: the spikes that looked there, on the part's own pixels."""

from __future__ import annotations

from spikedeblur.errors import UsageError
from spikedeblur.quantities import Region
from spikedeblur.recording.exposures import Exposures, StreamExposures
from spikedeblur.recording.geometry import moved_to_region, placed, seen_part
from spikedeblur.recording.voxel_exposures import VoxelExposures

__all__ = ["region_exposures"]

MARGIN = 8  # spike pixels around a region, so that its borders are no borders of the sensor


def region_exposures(
    exposures: Exposures, region: Region, video_size: tuple[int, int]
) -> Exposures:
    """The exposures of `region`, made of those of whole frames of `video_size` (width, height).

    Of a stream only the spike pixels that look there are read. Raises UsageError if none does.
    """
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
