"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from spikedeblur.cli.completion import codecs, weights_names
from spikedeblur.cli.displays import PROGRESS_KINDS
from spikedeblur.cli.values import BITS, EXPOSURE, HERTZ, LAYOUT, PAIR, SECONDS, SIZE, THREADS
from spikedeblur.vocabulary import BIT_ORDERS, CFAS, COMPARISONS, DEVICES, PRECISIONS

Function = TypeVar("Function", bound=Callable[..., Any])
Pairs = tuple[tuple[str, str], ...]

SPIKE_OPTIONS = (
    click.option(
        "--rig",
        type=click.Path(path_type=Path),
        metavar="FILE.toml",
        help="Keys of a sidecar that hold for all recordings, where their own sidecars do not say.",
    ),
    click.option("--spike-size", type=SIZE, help="Pixels of the spike camera, such as 400x250."),
    click.option("--spike-rate", type=HERTZ, help="Ticks per second, such as 20000 or 20kHz."),
    click.option(
        "--exposure",
        type=EXPOSURE,
        help="Shutter time of a video frame: seconds, 1/125 or 8ms, 0.5x of the frame interval, "
        "or 180deg.  [default: 1x, the whole interval]",
    ),
    click.option(
        "--offset",
        type=SECONDS,
        help="Seconds on the video's clock (or 8ms) at which spike tick 0 lies; may be negative.  "
        "[default: the first frame]",
    ),
    click.option(
        "--flip/--no-flip",
        default=None,
        help="Rows are stored bottom-up, or not: try --no-flip if the spikes stand on "
        "their head.  [default: flip, but not arrays and sps100]",
    ),
    click.option(
        "--spike-layout",
        type=LAYOUT,
        help="Header bits among the pixels of a .dat: plain is none, sps10 16 columns after the "
        "pixels of each row, sps100 those of 1000x1000 cameras.  [default: the one that fits]",
    ),
    click.option(
        "--bit-order",
        type=click.Choice(BIT_ORDERS),
        help="Which bit of a byte is the first pixel: the lowest, or the highest.  "
        "[default: little]",
    ),
    click.option(
        "--spike-key",
        metavar="NAME",
        help="The array to read from an .npz or .h5 file.  [default: the only one, or the only "
        "one of three axes]",
    ),
    click.option(
        "--bits",
        type=BITS,
        help="Bits of a pixel at a tick: with 2, 4 or 8 it counts spikes.  [default: 1]",
    ),
    click.option(
        "--cfa",
        type=click.Choice(CFAS),
        help="Colour filters of 2x2 spike pixels, row by row from the left upper corner of the "
        "upright picture.  [default: none, a grey sensor]",
    ),
    click.option(
        "--lenient",
        is_flag=True,
        default=None,
        help="Read a .dat that ends within a plane up to its last whole plane.",
    ),
)


# The settings of a recording that they are.
OPTION_FIELDS = {
    "spike_size": "size",
    "spike_rate": "rate_hz",
    "exposure": "exposure",
    "offset": "offset_s",
    "flip": "flip",
    "spike_layout": "layout",
    "bit_order": "bit_order",
    "spike_key": "key",
    "lenient": "lenient",
    "bits": "bits",
    "cfa": "cfa",
    "transfer": "transfer",
    "parallax": "parallax",
}


def spike_options(command: Function) -> Function:
    """Add the options that say how to read spikes, as one argument `spike_options`.

    Each beats the environment, that the sidecar of a recording, that the rig's file, that a
    configuration file, that inference.
    """

    @wraps(command)
    def gathered(*args: Any, **options: Any) -> Any:
        from spikedeblur.io.spikes.settings import RecordingSettings, merged
        from spikedeblur.io.spikes.sidecar import read_sidecar

        source_of = click.get_current_context().get_parameter_source
        environment, file = ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP
        given: dict[ParameterSource | None, dict[str, Any]] = {None: {}, environment: {}, file: {}}
        for name, setting in OPTION_FIELDS.items():
            if name not in options:
                continue
            source = source_of(name)
            given[source if source in given else None][setting] = options.pop(name)
        settings = merged(
            ("option", RecordingSettings(**given[None])),
            ("environment", RecordingSettings(**given[environment])),
        )
        rig = options.pop("rig")
        fallback = merged(
            ("rig", None if rig is None else read_sidecar(rig, "rig file")),
            ("configuration", RecordingSettings(**given[file])),
        )
        settings = replace(settings, fallback=fallback if fallback.given else None)
        return command(*args, spike_options=settings, **options)

    return _with_options(gathered, SPIKE_OPTIONS)


parallax_option = click.option(
    "--parallax/--no-parallax",
    default=None,
    help="Find in each frame what lies elsewhere for the spike camera, as near things do for "
    "cameras beside each other, or do not.  [default: as the sidecar says]",
)
device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="|".join(DEVICES),
    help="What computes: auto takes a GPU where there is one.",
)
threads_option = click.option(
    "--threads", type=THREADS, metavar="N", help="CPU threads.  [default: all cores]"
)
weights_option = click.option(
    "--weights",
    metavar="FILE|NAME",
    shell_complete=weights_names,
    help="Weights of the network: a run's, or an official VRT checkpoint.  "
    "[default: those shipped with the program]",
)
progress_option = click.option(
    "--progress",
    type=click.Choice(PROGRESS_KINDS),
    default="auto",
    show_default=True,
    help="auto: a bar on a terminal, lines elsewhere.",
)


def json_option(text: str) -> Callable[[Function], Function]:
    """Return the option --json, for what is written to stdout."""
    return click.option("--json", "as_json", is_flag=True, help=text)


COMPUTE_OPTIONS = (
    device_option,
    click.option(
        "--precision",
        type=click.Choice(["auto", *PRECISIONS]),
        default="auto",
        show_default=True,
        help="Numbers the network computes with: auto takes half precision on a CUDA "
        "GPU, else fp32.",
    ),
    click.option(
        "--compile",
        "compiled",
        is_flag=True,
        help="Compile the network first (torch.compile): minutes, which a long video "
        "on a GPU may give back.",
    ),
    threads_option,
)


def compute_options(command: Function) -> Function:
    """Add --device, --precision, --compile and --threads."""
    return _with_options(command, COMPUTE_OPTIONS)


OUTPUT_OPTIONS = (
    click.option(
        "--codec",
        metavar="NAME",
        shell_complete=codecs,
        help="Video encoder, such as libx264, libx265 or ffv1 (lossless).  "
        "[default: as fits the input]",
    ),
    click.option(
        "--crf",
        type=click.FloatRange(0, 63),
        metavar="N",
        help="Quality on the encoder's own scale; lower is better.  [default: visually "
        "lossless: 16 for libx264 and libx265 (10 and 8 where pixels have 10 bits), 20 for "
        "libsvtav1 (10) and libvpx-vp9]",
    ),
    click.option(
        "--preset",
        metavar="P",
        help="The encoder's trade of speed for size, such as fast.  [default: medium, or 6 for "
        "libsvtav1]",
    ),
    click.option(
        "--pix-fmt",
        default="auto",
        show_default=True,
        metavar="auto|FMT",
        help="Pixel format; auto keeps the input's depth and chroma, but makes 4:2:0 of RGB and of "
        "lossless video in .mp4 and .mov. An encoder that has it is chosen.",
    ),
    click.option(
        "-e",
        "--encoder-option",
        "encoder_options",
        type=PAIR,
        multiple=True,
        help="Any further option of the encoder, such as tune=grain; repeatable.",
    ),
    click.option("--no-audio", is_flag=True, help="Leave sound out."),
    click.option("--no-subtitles", is_flag=True, help="Leave subtitles out."),
    click.option(
        "--compare",
        type=click.Choice(COMPARISONS),
        help="Also write OUTPUT_compare with blurry and sharp in one picture.",
    ),
)


# Those of them, and of `overwrite_option`, that are fields of `OutputOptions`.
SAME_NAMES = ("codec", "crf", "preset", "pix_fmt", "compare", "overwrite")


def output_options(command: Function) -> Function:
    """Add the options that say how to write video, as one argument `output_options`."""

    @wraps(command)
    def gathered(
        *args: Any, encoder_options: Pairs, no_audio: bool, no_subtitles: bool, **options: Any
    ) -> Any:
        from spikedeblur.output.options import OutputOptions

        output = OutputOptions(
            encoder_options=dict(encoder_options),
            audio=not no_audio,
            subtitles=not no_subtitles,
            **{name: options.pop(name) for name in SAME_NAMES},
        )
        return command(*args, output_options=output, **options)

    return _with_options(gathered, OUTPUT_OPTIONS)


def _with_options(command: Any, options: Sequence[Callable[[Any], Any]]) -> Any:
    """Add options in the order in which they are to be listed."""
    for option in reversed(options):
        command = option(command)
    return command


def overwrite_option(command: Function) -> Function:
    """Add -y/--overwrite."""
    return click.option("-y", "--overwrite", is_flag=True, help="Replace an output that exists.")(
        command
    )
