"""Options of long jobs and of batches, as one argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

from spikedeblur.vocabulary import SEGMENT_FRAMES


@dataclass(frozen=True)
class JobOptions:
    """How the work on videos is divided, gone on with, and listed; None is not given.

    jobs: videos at once. cluster: auto, local or an address. shard: I/N, or auto. segment: frames.
    video_list, failures: files of videos.
    """

    resume: bool
    shard: str | None
    segment: int
    video_list: Path | None
    failures: Path | None
    jobs: int
    cluster: str | None
    dry_run: bool


OPTIONS = (
    click.option(
        "--resume",
        is_flag=True,
        help="Go on where an interrupted run of the same command ended; begin if there was "
        "none, do nothing if it is finished.",
    ),
    click.option(
        "--shard",
        metavar="I/N|auto",
        help="Do one of N parts of the work; the last one done joins them. auto: as torchrun or a "
        "Slurm array has numbered this process.  [default: 1/1, but auto under torchrun]",
    ),
    click.option(
        "--segment",
        type=click.IntRange(min=1),
        default=SEGMENT_FRAMES,
        show_default=True,
        metavar="N",
        help="Frames of a segment: what a kill costs at most.",
    ),
    click.option(
        "--list",
        "video_list",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="More videos, one in a line of this file, and behind tabs its spikes and its output "
        "if they follow from no option.",
    ),
    click.option(
        "--failures",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="List in this file the videos that are not done at the end, for --list.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(1, 256),
        default=1,
        show_default=True,
        metavar="N",
        help="Videos at once, each in a process of its own, which share the cores unless --threads "
        "says otherwise.",
    ),
    click.option(
        "--cluster",
        metavar="auto|local|ADDRESS",
        help="Share the work among the machines of a Ray cluster, which see the same files: auto "
        "is the one that this machine is part of, local one of this machine's cores.",
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
)


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, as one argument `job`."""

    @wraps(command)
    def gathered(*args: Any, **options: Any) -> Any:
        names = [each.name for each in fields(JobOptions)]
        job = JobOptions(**{name: options.pop(name) for name in names})
        return command(*args, job=job, **options)

    for option in reversed(OPTIONS):
        option(gathered)
    return gathered
