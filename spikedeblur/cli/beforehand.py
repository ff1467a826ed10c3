"""Checks and choices before videos are deblurred: paths, standard input and output, shards."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from spikedeblur.cli.batch import PIPE, VideoJob
from spikedeblur.cli.console import Console
from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.pipes import is_pipe

if TYPE_CHECKING:
    from spikedeblur.output.shards import Shard


ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:", re.ASCII)  # s3: of s3://BUCKET/FILE, as paths have it


def meant_output(
    context: click.Context, output: Path | None, folder: Path | None
) -> tuple[Path | None, Path | None]:
    """The output and its folder; of two, the one that is typed where the other holds elsewhere."""
    sources = [context.get_parameter_source(name) for name in ("output", "output_dir")]
    typed = [source == ParameterSource.COMMANDLINE for source in sources]
    if output is None or folder is None or typed[0] == typed[1]:
        return output, folder
    return (output, None) if typed[0] else (None, folder)


def chosen_shard(console: Console, given: str | None) -> Shard:
    """The part of the work to do: as given, or for auto as the launcher of this process has it.

    Without a word all of it, but under torchrun, which runs one command in many processes; what is
    taken from there, or is not, is said.
    """
    from spikedeblur.output.shards import Shard, shard_of_environment

    if given not in (None, "auto"):
        return Shard.parse(given)
    shard, launcher = shard_of_environment(os.environ)
    if given == "auto" or "TORCHELASTIC_RUN_ID" in os.environ:
        if launcher:
            console.note(f"shard {shard}, as {launcher} has it; --shard 1/1 does the whole video")
        return shard
    if launcher:
        console.note(
            f"all of the work is done here, though {launcher} has numbered this process {shard}; "
            "--shard auto does that part"
        )
    return Shard()


def check_paths(job: VideoJob) -> None:
    """Refuse, before anything is loaded, what cannot end well."""
    video, spikes, output = job.video, job.spikes, job.output
    for each in (video, spikes, output):
        _check_is_path(each)
    if "%" not in video.name and video != PIPE and not video.exists():
        raise InputError(f"there is no file {video} - check the name")
    if spikes is not None and not spikes.exists():
        raise InputError(f"there is no file {spikes} - check the name given to --spikes")
    for kind, path in (("input", video), ("spike file", spikes)):
        if path is None or path == PIPE or is_pipe(output):
            continue
        if output.absolute() == path.absolute() or (
            output.exists() and path.exists() and output.samefile(path)
        ):
            raise UsageError(f"the output is the {kind} ({output}) - choose another -o")


def _check_is_path(path: Path | None) -> None:
    """Refuse s3://BUCKET/FILE and the like, which would be made as folders where they are not."""
    scheme, *rest = ("",) if path is None else path.parts or ("",)
    if ADDRESS.fullmatch(scheme) and not Path(scheme).exists():
        raise UsageError(
            f"that is an address, not a path ({scheme}//{'/'.join(rest)}) - mount its store as a "
            "folder, as by rclone mount, or copy the file here first"
        )


def check_stdout(as_json: bool, compare: str | None) -> None:
    """Refuse what would mix with the video on standard output."""
    for given, name in ((as_json, "--json or --dry-run"), (compare, "--compare")):
        if given:
            raise UsageError(
                f"the video goes to standard output (-o -, and {name}) - write it to a file"
            )
    if sys.stdout.isatty():
        raise UsageError("standard output is a terminal (-o -) - name a file, or pipe it on")


@contextmanager
def stdin_stored(job: VideoJob) -> Iterator[VideoJob]:
    """The job with a file in place of standard input."""
    if job.video != PIPE:
        yield job
        return
    from spikedeblur.io.pipes import stored

    with stored(sys.stdin.buffer) as path:
        yield replace(job, video=path)
