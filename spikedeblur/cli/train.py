"""spikedeblur train: weights from photographs or recorded sequences."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from spikedeblur.cli.command import Command
from spikedeblur.cli.completion import configurations, setting_keys
from spikedeblur.cli.console import Console
from spikedeblur.cli.displays import progress_display
from spikedeblur.cli.options import json_option, progress_option, threads_option
from spikedeblur.errors import UsageError
from spikedeblur.machine.threads import limit_threads
from spikedeblur.vocabulary import DEVICES, PRECISIONS, TRAINING_LAYOUTS

if TYPE_CHECKING:
    from spikedeblur.cli.progress import Progress
    from spikedeblur.training.events import Event, Record, StepDone


TIMED_STEPS = 5  # steps, by which the time of all is told


@click.command("train", cls=Command)
@click.argument("config", required=False, shell_complete=configurations)
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Sharp photographs; clips and spikes are synthesised from them on the fly.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Recorded or simulated sequences; man spikedeblur-train lists the layouts.",
)
@click.option(
    "--layout",
    type=click.Choice(TRAINING_LAYOUTS),
    help="How --data is laid out.  [default: seen from its folders]",
)
@click.option(
    "--val",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Sequences to validate on.  [default: a part of what is given]",
)
@click.option(
    "--pool",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep clips of --photos there, solved once and drawn often.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="RUN_DIR",
    help="Folder for weights, metrics.jsonl, config.yaml and state.",
)
@click.option("--resume", is_flag=True, help="Go on where the run in RUN_DIR ended.")
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights to start from, ours or an official VRT checkpoint.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    shell_complete=setting_keys,
    help="Change a value of the configuration; repeatable.",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Short for TRAIN.SEED.")
@click.option(
    "--device", default="auto", show_default=True, metavar="|".join(DEVICES), help="What computes."
)
@click.option("--precision", type=click.Choice(PRECISIONS), help="Short for TRAIN.PRECISION.")
@threads_option
@click.option(
    "--dry-run",
    is_flag=True,
    help="Take a few steps in a folder that is removed, and say what all of them will cost.",
)
@json_option("JSON lines on stdout; the last one sums up.")
@progress_option
@click.pass_obj
def command(
    console: Console,
    *,
    config: str | None,
    photos: Path | None,
    data: Path | None,
    layout: str | None,
    val: Path | None,
    pool: Path | None,
    output: Path,
    resume: bool,
    init: Path | None,
    overrides: tuple[str, ...],
    seed: int | None,
    device: str,
    precision: str | None,
    threads: int | None,
    dry_run: bool,
    as_json: bool,
    progress: str,
) -> None:
    """Train a network on photographs or recordings.

    CONFIG is a packaged name (small, vrt_gopro, vrt_spike_baseline) or a YAML file. Without it a
    resumed run keeps its own, and a new one is `small`.

    Several processes: torchrun --nproc-per-node N -m spikedeblur train ...
    """
    if (photos is None) == (data is None):
        raise UsageError("there is nothing to learn from - give one of --photos DIR and --data DIR")
    if layout is not None and data is None:
        raise UsageError(f"photographs have no layout (--layout {layout}) - leave it out")
    limit_threads(threads)
    from spikedeblur.training.config import load_config
    from spikedeblur.training.run import run_training

    short = [
        f"TRAIN.{key}={value}"
        for key, value in (("SEED", seed), ("PRECISION", precision))
        if value is not None
    ]
    kept = output / "config.yaml"
    source = config or (str(kept) if resume and kept.exists() else "small")
    resolved = load_config(source, [*overrides, *short])
    if dry_run:
        from spikedeblur.training.trial import try_steps

        trial = try_steps(
            resolved,
            photos=photos,
            data=data,
            layout=layout,
            val=val,
            pool=pool,
            output=output,
            resume=resume,
            init=init,
            device=device,
        )
        if as_json:
            console.json({"event": "plan", **trial.figures(), "output": str(output)})
            return
        for line in trial.lines():
            console.data(line)
        return
    leads = os.environ.get("RANK", "0") == "0"  # of several processes, one speaks
    with progress_display(
        progress, "trained", quiet=console.quiet or not leads, json_lines=as_json, unit="steps"
    ) as display:
        run_training(
            resolved,
            photos=photos,
            data=data,
            layout=layout,
            val=val,
            pool=pool,
            output=output,
            resume=resume,
            init=init,
            device=device,
            report=Teller(console, display).tell,
        )
    if leads and as_json:
        told = {"event": "done", "steps": display.frames, "output": str(output)}
        console.json({**told, "warnings": console.warnings})
    if leads:
        console.note(f"wrote {output / 'best.safetensors'} and {output / 'last.safetensors'}")


class Teller:
    """Says what a run is going to do, and how long that takes when it has taken a few steps.

    Every step moves the display; a record of metrics.jsonl is a line; -v reports states.
    """

    def __init__(self, console: Console, display: Progress) -> None:
        self._console, self._display = console, display
        self._times: list[float] = []

    def tell(self, event: Event) -> None:
        """Take note of an event."""
        from spikedeblur.training.events import Record, Saved, Started, StepDone

        if isinstance(event, Started):
            self._console.note(event.line())
        elif isinstance(event, StepDone):
            self._display.advance_to(event.step, event.steps)
            self._say_time(event)
        elif isinstance(event, Saved):
            self._console.detail(f"step {event.step}: state saved")
            self._console.resume_hint = (
                f"the state of step {event.step} is saved: go on with the same command and --resume"
            )
        elif isinstance(event, Record):
            self._say_record(event)

    def _say_time(self, event: StepDone) -> None:
        """Say how long the rest takes, once, by the middle one of the first steps."""
        if len(self._times) == TIMED_STEPS + 1:
            return
        self._times.append(time.monotonic())
        left = event.steps - event.step
        if len(self._times) == TIMED_STEPS + 1 and left:
            from spikedeblur.training.trial import duration

            step_s = median(late - early for early, late in pairwise(self._times))
            self._console.note(
                f"{step_s:.2g} s a step: about {duration(left * step_s)} for the other {left}, "
                "validation aside"
            )

    def _say_record(self, event: Record) -> None:
        figures = [
            (", {:.2f} dB", event.psnr),
            (", SSIM {:.4f}", event.ssim),
            (" (blurry {:.2f} dB)", event.blurry_psnr),
        ]
        quality = "".join(form.format(value) for form, value in figures if value is not None)
        self._display.note = f"loss {event.loss:.5f}{quality}"
        self._console.note(
            f"step {event.step}: {self._display.note}, rate {event.lr:.2e}, "
            f"{event.seconds:.2f} s a step, {event.wait:.1%} of it waiting for data"
        )
