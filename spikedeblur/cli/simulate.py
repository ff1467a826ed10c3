"""spikedeblur simulate: sharp footage becomes a recording with blur, spikes and the sharp truth."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikedeblur.cli.command import Command
from spikedeblur.cli.console import Console
from spikedeblur.cli.displays import progress_display
from spikedeblur.cli.options import json_option, overwrite_option, progress_option, threads_option
from spikedeblur.cli.rig_options import rig_options
from spikedeblur.cli.values import EXPOSURE, HERTZ, SIZE
from spikedeblur.errors import UsageError
from spikedeblur.machine.threads import limit_threads
from spikedeblur.quantities import counted

if TYPE_CHECKING:
    from spikedeblur.quantities import Exposure

SAMPLE = "sample"
FRAMES_WORTH_A_TRIAL = 20  # frames, for which a few are made on trial first
OF_ANY_SOURCE = {"source", "output", "overwrite", "progress", "threads", "as_json"}


@click.command("simulate", cls=Command)
@click.argument("source", type=click.Path(path_type=Path), metavar="VIDEO|PHOTO|PHOTO_DIR|sample")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder for blurry.mkv, spikes.dat, spikes.toml and sharp.mkv.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    metavar="N",
    help="Frames to make.  [default: all of a video, 24 of photographs]",
)
@click.option("--size", type=SIZE, help="Frame size.  [default: the video's, or 640x360]")
@click.option(
    "--fps",
    type=HERTZ,
    metavar="F",
    help="Blurry frames per second.  [default: an eighth of the video's, or 50]",
)
@click.option(
    "--source-fps",
    type=HERTZ,
    metavar="F",
    help="Frames of the video in a second of the scene, such as 240 where it was slowed down.  "
    "[default: what the file says]",
)
@click.option(
    "--exposure",
    type=EXPOSURE,
    default="0.9x",
    show_default=True,
    help="Shutter time of a blurry frame.",
)
@click.option("--spike-size", type=SIZE, help="Sensor size.  [default: half the frame's]")
@click.option(
    "--spike-rate", type=HERTZ, default="20000", show_default=True, help="Ticks per second."
)
@rig_options
@click.option(
    "--threshold",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="L",
    help="Light that makes a spike; white is 1 a tick.",
)
@click.option(
    "--blur",
    "blur_px",
    type=click.FloatRange(min=0),
    metavar="PX",
    help="Motion within an exposure, for photographs.",
)
@click.option(
    "--gamma-space", is_flag=True, help="Add up encoded light, as the published data sets do."
)
@click.option(
    "--validation",
    type=click.IntRange(min=1),
    metavar="N",
    help="Make the validation set instead: N clips of each protocol in DIR/PROTOCOL/NN, "
    "from the photographs that train keeps out.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="The same seed makes the same files.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be made and what it would cost.")
@threads_option
@json_option("JSON lines on stdout; the last one sums up.")
@progress_option
@overwrite_option
@click.pass_context
def command(
    context: click.Context,
    *,
    source: Path,
    output: Path,
    exposure: Exposure,
    spike_rate: Fraction,
    progress: str,
    threads: int | None,
    as_json: bool,
    dry_run: bool,
    overwrite: bool,
    fps: Fraction | None,
    validation: int | None,
    frames: int | None,
    size: tuple[int, int] | None,
    spike_size: tuple[int, int] | None,
    threshold: float,
    blur_px: float | None,
    gamma_space: bool,
    seed: int,
    source_fps: Fraction | None,
    rig_settings: dict[str, Any],
) -> None:
    """Make a recording by both cameras out of sharp footage.

    The footage is a sharp video, or a photograph or a folder of them, of which scenes are made.
    The light of a frame's exposure is added up for the blurry video, and tick by tick for the
    spikes; sharp.mkv holds the middle of each exposure. The word sample stands for the bundled
    sample, whose settings are fixed.
    """
    limit_threads(threads)
    console: Console = context.obj
    if str(source) == SAMPLE and not source.exists():
        _make_sample(context, output, overwrite)
        console.note(f"wrote {output}: the bundled sample")
        _sum_up(console, as_json, output)
        return
    if validation is not None:
        _make_validation_set(context, source, output, validation)
        return
    from spikedeblur.simulation.rig import RigSettings
    from spikedeblur.simulation.simulation import planned, simulate_rig

    if not exposure.relative and fps is None:
        raise UsageError(
            f"the frame rate is not known (--exposure {exposure}) - give --fps too, "
            "or the exposure as a part of the frame interval, such as 0.5x"
        )
    part = exposure.value if exposure.relative or fps is None else exposure.value * fps
    rig = RigSettings(
        *(frames, size, fps, spike_rate, spike_size, part, threshold, blur_px, gamma_space, seed),
        source_fps=source_fps,
        **rig_settings,
    )
    if dry_run or planned(source, rig)[0] >= FRAMES_WORTH_A_TRIAL:
        from spikedeblur.simulation.cost import plan_simulation

        plan = plan_simulation(source, output, rig, overwrite=overwrite)
        if dry_run and as_json:
            console.json({"event": "plan", **plan.figures(), "output": str(output)})
        elif dry_run:
            console.data(plan.line())
        else:
            console.note(plan.line())
        if dry_run:
            return
    with progress_display(
        progress, "simulated", quiet=console.quiet, json_lines=as_json
    ) as display:
        made = simulate_rig(
            source,
            output,
            rig,
            overwrite=overwrite,
            progress=lambda done: display.advance_to(done, frames),
        )
    console.note(f"wrote {output}: {counted(made.frames, 'frame')}, {made.ticks} ticks")
    _sum_up(console, as_json, output, frames=made.frames, ticks=made.ticks)


def _make_validation_set(context: click.Context, photos: Path, output: Path, clips: int) -> None:
    from spikedeblur.simulation.photos import find_photos, held_out
    from spikedeblur.simulation.protocols import PROTOCOLS, record_validation_set

    _refuse_settings(context, "the validation set", {"validation"})
    console: Console = context.obj
    _, kept_out = held_out(find_photos(photos))
    as_json = context.params["as_json"]
    with progress_display(
        context.params["progress"], "recorded", quiet=console.quiet, json_lines=as_json
    ) as display:
        cases = record_validation_set(
            kept_out,
            output,
            clips,
            overwrite=context.params["overwrite"],
            progress=lambda done: display.advance_to(done, clips * len(PROTOCOLS)),
        )
    console.note(f"wrote {output}: {len(cases)} cases")
    _sum_up(console, as_json, output, cases=len(cases))


def _sum_up(console: Console, as_json: bool, output: Path, **counts: int) -> None:
    if as_json:
        told = {"event": "done", "output": str(output), **counts, "warnings": console.warnings}
        console.json(told)


def _make_sample(context: click.Context, output: Path, overwrite: bool) -> None:
    from spikedeblur.sample import make_sample

    _refuse_settings(context, "the bundled sample", set())
    make_sample(output, overwrite)


def _refuse_settings(context: click.Context, what: str, its_own: set[str]) -> None:
    given = [
        name
        for name in context.params
        if name not in OF_ANY_SOURCE | its_own
        and context.get_parameter_source(name) != click.core.ParameterSource.DEFAULT
    ]
    if given:
        raise UsageError(
            f"{what} has settings of its own ({', '.join(given)} given) - "
            "leave them out, or simulate another source"
        )
