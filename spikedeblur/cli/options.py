"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from spikedeblur.cli.values import EXPOSURE, HERTZ, SECONDS, SIZE, THREADS
from spikedeblur.vocabulary import BIT_ORDERS, DEVICES, PRECISIONS, SPIKE_LAYOUTS

Function = TypeVar("Function", bound=Callable[..., Any])

SPIKE_OPTIONS = (
    click.option(
        "--spike-size",
        type=SIZE,
        envvar="SPIKEDEBLUR_SPIKE_SIZE",
        show_envvar=True,
        help="Pixels of the spike camera, such as 400x250.",
    ),
    click.option(
        "--spike-rate",
        type=HERTZ,
        envvar="SPIKEDEBLUR_SPIKE_RATE",
        show_envvar=True,
        help="Ticks per second, such as 20000.",
    ),
    click.option(
        "--exposure",
        type=EXPOSURE,
        envvar="SPIKEDEBLUR_EXPOSURE",
        show_envvar=True,
        help="Shutter time of a video frame: seconds, 0.5x of the frame interval, or "
        "180deg.  [default: the whole interval]",
    ),
    click.option(
        "--offset",
        type=SECONDS,
        envvar="SPIKEDEBLUR_OFFSET",
        show_envvar=True,
        help="Seconds on the video's clock at which spike tick 0 lies; may be negative.  "
        "[default: the first frame]",
    ),
    click.option(
        "--flip/--no-flip",
        default=None,
        envvar="SPIKEDEBLUR_FLIP",
        show_envvar=True,
        help="Rows are stored bottom-up, or not: try --no-flip if the spikes stand on "
        "their head.  [default: flip, but not arrays and sps100]",
    ),
    click.option(
        "--spike-layout",
        type=click.Choice(SPIKE_LAYOUTS),
        envvar="SPIKEDEBLUR_SPIKE_LAYOUT",
        show_envvar=True,
        help="Header bits among the pixels of a .dat: none, 16 columns after the pixels "
        "of each row, or those of 1000x1000 cameras.  [default: the one that fits]",
    ),
    click.option(
        "--bit-order",
        type=click.Choice(BIT_ORDERS),
        envvar="SPIKEDEBLUR_BIT_ORDER",
        show_envvar=True,
        help="Which bit of a byte is the first pixel: the lowest, or the highest.  "
        "[default: little]",
    ),
    click.option(
        "--spike-key",
        envvar="SPIKEDEBLUR_SPIKE_KEY",
        show_envvar=True,
        metavar="NAME",
        help="The array to read from an .npz or .h5 file.  [default: the only one]",
    ),
)


def spike_options(command: Function) -> Function:
    """Add the options that say how to read spikes, as one argument `spike_options`.

    Each beats the environment, that the sidecar, that inference.
    """

    @wraps(command)
    def gathered(
        *args: Any,
        spike_size: Any,
        spike_rate: Any,
        exposure: Any,
        offset: Any,
        flip: bool | None,
        spike_layout: str | None,
        bit_order: str | None,
        spike_key: str | None,
        **others: Any,
    ) -> Any:
        from spikedeblur.io.spikes.source import SpikeOptions

        options = SpikeOptions(
            size=spike_size,
            rate_hz=spike_rate,
            exposure=exposure,
            offset_s=offset,
            flip=flip,
            layout=spike_layout,
            bit_order=bit_order,
            key=spike_key,
        )
        return command(*args, spike_options=options, **others)

    decorated: Any = gathered
    for option in reversed(SPIKE_OPTIONS):
        decorated = option(decorated)
    return decorated


def compute_options(command: Function) -> Function:
    """Add --device, --precision, --compile and --threads."""
    decorated: Any = command
    for option in (
        click.option(
            "--threads", type=THREADS, metavar="N", help="CPU threads.  [default: all cores]"
        ),
        click.option(
            "--compile",
            "compiled",
            is_flag=True,
            help="Compile the network first (torch.compile): minutes, which a long video "
            "on a GPU may give back.",
        ),
        click.option(
            "--precision",
            type=click.Choice(["auto", *PRECISIONS]),
            default="auto",
            show_default=True,
            help="Numbers the network computes with: auto takes half precision on a CUDA "
            "GPU, else fp32.",
        ),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            metavar="|".join(DEVICES),
            help="What computes: auto takes a GPU where there is one.",
        ),
    ):
        decorated = option(decorated)
    return decorated


def overwrite_option(command: Function) -> Function:
    """Add -y/--overwrite."""
    return click.option("-y", "--overwrite", is_flag=True, help="Replace an output that exists.")(
        command
    )
