"""A picture to judge an alignment by: a frame in red, its spikes in green and blue, over it.

Where both agree it is grey; where they do not, edges have coloured seams.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from spikedeblur.alignment.findings import Alignment
from spikedeblur.errors import InputError
from spikedeblur.io.atomic import atomic_path
from spikedeblur.io.image_files import write_image
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.prior.planes import resample
from spikedeblur.quantities import Exposure, exact
from spikedeblur.recording.exposures import StreamExposures
from spikedeblur.recording.geometry import spike_to_video, tile_coverage, tile_to_spike
from spikedeblur.recording.lenses import Lenses
from spikedeblur.recording.light import linear_to_srgb, relative_luminance, srgb_to_linear
from spikedeblur.recording.transfer import transfer_of

LOOKED_AT = 8


def write_overlay(
    path: Path, video: Path, alignment: Alignment, *, overwrite: bool = False
) -> None:
    """Write the overlay (PNG or TIFF) of a frame that the alignment was taken from.

    Raises `InputError` if it has no spikes after all, and what reading and writing raise.
    """
    start = exact(max(alignment.seen_s, 0))
    settings = replace(
        alignment.source.settings,
        offset_s=exact(alignment.offset_s),
        scale=None,
        drift_ppm=alignment.drift_ppm,
        homography=alignment.homography,
        exposure=Exposure(exact(alignment.exposure_s)),
        exposure_start_s=None,
        readout_s=alignment.sidecar().readout_s,
        video_lens=alignment.sidecar().video_lens,
    )
    source = replace(alignment.source, settings=settings)
    with open_video(video, start=start) as reader:
        exposures = StreamExposures.of_source(
            source, bins=1, video_size=(reader.info.width, reader.info.height)
        )
        with exposures.stream:
            for frame in islice(reader, LOOKED_AT):
                counts, covered = exposures.counts(frame)
                if counts is not None and covered == Fraction(1):
                    transfer = transfer_of(settings.transfer, reader.info.colour)
                    if transfer is not None:
                        frame = replace(frame, rgb=transfer.decoded(frame.rgb))
                    picture = overlaid(frame, counts, exposures.homography, exposures.lenses)
                    with atomic_path(path, overwrite) as temporary:
                        write_image(temporary, picture)
                    return
    raise InputError(
        f"no frame after {float(start):.3f} s has spikes throughout - leave --preview out"
    )


def overlaid(
    frame: VideoFrame,
    counts: np.ndarray,
    homography: tuple[float, ...] | None,
    lenses: Lenses | None = None,
) -> np.ndarray:
    """A frame and the counts of its exposure, (1, Hs, Ws), as (H, W, 3) uint8 sRGB."""
    encoded = frame.rgb.astype(np.float32) / np.float32(np.iinfo(frame.rgb.dtype).max)
    light = relative_luminance(srgb_to_linear(encoded))
    size = (counts.shape[2], counts.shape[1])
    to_spike = tile_to_spike(spike_to_video(size, light.shape[::-1], homography, lenses), 0, 0)
    planes = torch.from_numpy(np.require(counts, requirements="W"))[None]
    spikes = resample(planes, to_spike, light.shape)[0, 0].numpy()
    seen = tile_coverage(to_spike, light.shape, size)
    matched = spikes * (light[seen].mean() / max(spikes[seen].mean(), 1e-6))
    other = np.where(seen, matched, light)
    picture = np.stack([light, other, other], axis=-1)
    return np.rint(linear_to_srgb(np.clip(picture, 0, 1)) * 255).astype(np.uint8)
