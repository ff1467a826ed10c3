"""Options of light: what numbers stand for, and how much of it is shown."""

from __future__ import annotations

import click

from spikedeblur.cli.values import TRANSFER

transfer_option = click.option(
    "--transfer",
    type=TRANSFER,
    help="What the video's numbers stand for: linear, srgb, bt709, gamma:G, pq, hlg, or auto, "
    "which asks its tags and takes those of BT.709, and none, for sRGB.  [default: auto]",
)
strength_option = click.option(
    "--strength",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    metavar="X",
    help="How much of the sharp frame is shown: 0 is the input; between, light of both is mixed.",
)
headroom_option = click.option(
    "--headroom",
    type=click.FloatRange(0, 8),
    default=0.0,
    show_default=True,
    metavar="STOPS",
    help="Make the picture darker by so many stops, in 10 bits or more, so that light fits that "
    "was clipped in the video and not in the spikes.",
)
