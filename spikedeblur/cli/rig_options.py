"""Options of the rig that is simulated, as one argument."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from spikedeblur.cli.values import BITS, SECONDS, TRANSFER, Parsed, parse_pair
from spikedeblur.errors import UsageError
from spikedeblur.quantities import Lens, parse_lens, parse_matrix
from spikedeblur.vocabulary import CFAS


def parse_camera_lens(text: str) -> tuple[str, Lens]:
    """`video=fx,fy,cx,cy,k1,...` -> (camera, lens). Raises UsageError."""
    camera, lens = parse_pair(text)
    if camera not in ("video", "spikes"):
        raise UsageError(f"no such camera ({camera!r} seen) - give video=..., spikes=... or both")
    return camera, parse_lens(lens)


RIG_OPTIONS = (
    click.option(
        "--offset",
        type=SECONDS,
        default="0",
        show_default=True,
        help="Seconds on the blurry video's clock at which the spikes begin; may be negative.",
    ),
    click.option(
        "--homography",
        type=Parsed("A,B,...,I", parse_matrix),
        help="Spike pixel -> video pixel, nine numbers, as in a sidecar.  [default: plain scaling]",
    ),
    click.option(
        "--drift",
        "drift_ppm",
        type=float,
        default=0.0,
        show_default=True,
        metavar="PPM",
        help="Millionths by which the spike camera's clock is fast; the sidecar says so.",
    ),
    click.option(
        "--lens",
        "lenses",
        type=Parsed("video|spikes=FX,FY,CX,CY,K1,...", parse_camera_lens),
        multiple=True,
        help="A camera's lens as OpenCV has it: fx, fy, cx, cy in pixels, then k1, k2, p1, p2, k3.",
    ),
    click.option(
        "--readout",
        type=SECONDS,
        default="0",
        show_default=True,
        help="Seconds from the exposure of the video's first row to that of its last, as a rolling "
        "shutter has; below zero, the last row comes first.",
    ),
    click.option(
        "--parallax",
        type=float,
        default=0.0,
        show_default=True,
        metavar="PX",
        help="Pixels of the video by which the spike camera, beside the other, sees objects "
        "further right, and the ground a third as far; for photographs.",
    ),
    click.option(
        "--transfer",
        type=TRANSFER,
        help="The video's curve: linear, srgb, bt709, gamma:G, pq, hlg.  [default: srgb]",
    ),
    click.option(
        "--overexpose",
        "overexposure",
        type=click.FloatRange(-8, 8),
        default=0.0,
        show_default=True,
        metavar="STOPS",
        help="Stops by which the video is too bright, so that its lights are clipped; the spikes "
        "are not.",
    ),
    click.option(
        "--bits",
        type=BITS,
        default=1,
        show_default=True,
        help="Bits of a spike pixel at a tick, which counts up to 2^bits - 1 spikes of a lower "
        "--threshold.",
    ),
    click.option(
        "--cfa",
        type=click.Choice(CFAS),
        help="Colour filters of 2x2 spike pixels, row by row.  [default: none, a grey sensor]",
    ),
)
# The settings of a rig that they are.
RIG_FIELDS = {
    "offset": "offset_s",
    "homography": "homography",
    "drift_ppm": "drift_ppm",
    "readout": "readout_s",
    "parallax": "parallax",
    "transfer": "transfer",
    "overexposure": "overexposure",
    "bits": "bits",
    "cfa": "cfa",
}


def rig_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, as one argument `rig_settings`: fields of `RigSettings` by their names.

    The command raises UsageError for a homography that cannot be inverted.
    """

    @wraps(command)
    def gathered(*args: Any, lenses: tuple[tuple[str, Lens], ...], **options: Any) -> Any:
        from spikedeblur.io.spikes.settings import parse_homography

        settings = {field: options.pop(name) for name, field in RIG_FIELDS.items()}
        matrix = settings["homography"]
        if matrix is not None and parse_homography(matrix) is None:
            raise UsageError(
                f"the homography cannot be inverted ({matrix} seen) - give that of a plane"
            )
        cameras = {"video": "video_lens", "spikes": "spike_lens"}
        settings |= {cameras[camera]: lens for camera, lens in lenses}
        return command(*args, rig_settings=settings, **options)

    described: Callable[..., Any] = gathered
    for option in reversed(RIG_OPTIONS):
        described = option(described)
    return described
