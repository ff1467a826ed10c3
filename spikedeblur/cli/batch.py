"""Several videos in one call: which spikes and which output belong to each, and going on when one
of them fails.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spikedeblur.cli.console import Console
from spikedeblur.cli.lists import ListedVideo
from spikedeblur.cli.reasons import reason
from spikedeblur.cli.results import BatchResults
from spikedeblur.cli.status import ExitStatus
from spikedeblur.errors import LOGGER, UsageError
from spikedeblur.io.pipes import PIPE, is_pipe

STEM = "{stem}"
MADE = "_deblurred"
LONGEST_NAME = 255  # bytes, of a file


@dataclass(frozen=True)
class VideoJob:
    """One video to deblur; `spikes` is None where none are named and none stand beside it."""

    video: Path
    spikes: Path | None
    output: Path


@dataclass(frozen=True)
class Outcome:
    """The end of one job: its exit status, its frames, and the plan that a dry run has made.

    skipped: there was nothing to do. figures: what --json tells of it.
    """

    status: ExitStatus
    frames: int = 0
    plan: dict[str, Any] | None = None
    skipped: bool = False
    figures: dict[str, Any] = field(default_factory=dict)


def plan_jobs(
    videos: Sequence[Path],
    spikes: Sequence[Path],
    output: Path | None,
    output_dir: Path | None,
    listed: Sequence[ListedVideo] = (),
    compare: bool = False,
) -> list[VideoJob]:
    """Pair every video with its spikes and its output.

    spikes: one for each video, in order; or a folder of STEM.dat or a pattern with {stem} for all
    of them; or nothing, for STEM.dat beside each video. listed: more videos, whose lines win.
    compare: OUTPUT_compare is written, too. Raises `UsageError` for what does not pair.
    """
    videos = [*videos, *(each.video for each in listed)]
    if output is not None and (output_dir is not None or len(videos) > 1):
        raise UsageError(
            f"one output for several videos, or beside --output-dir ({output}) - "
            "give --output-dir DIR alone"
        )
    if PIPE in videos and (len(videos) > 1 or output_dir is not None):
        raise UsageError(
            "standard input (-) beside other videos or --output-dir - deblur it alone, with -o"
        )
    from spikedeblur.io.image_names import named_sequence

    videos = [named_sequence(video) for video in videos]
    if any(not video.name for video in videos):
        raise UsageError("a video has no name ('', or a folder without images) - name a file")
    if output is not None:
        output = _images_inside(output, videos[0])
    jobs = [
        VideoJob(video, found, output or _default_output(video, output_dir))
        for video, found in zip(videos, spikes_for(videos, spikes), strict=True)
    ]
    unlisted = len(jobs) - len(listed)
    jobs[unlisted:] = [
        replace(job, spikes=row.spikes or job.spikes, output=row.output or job.output)
        for job, row in zip(jobs[unlisted:], listed, strict=True)
    ]
    _refuse_overwritten_inputs(jobs, compare)
    taken: dict[Path, Path] = {}
    for job in jobs:
        other = taken.setdefault(job.output.absolute(), job.video)
        if other is not job.video:
            raise UsageError(
                f"{other} and {job.video} would both become {job.output} - "
                "deblur them in separate calls"
            )
    return jobs


def _refuse_overwritten_inputs(jobs: Sequence[VideoJob], compare: bool) -> None:
    """Raise `UsageError` where an output of a video is an input of another one, by any name."""
    if len(jobs) < 2:
        return  # a single one is checked with more to say
    inputs = {
        name: path
        for job in jobs
        for path in (job.video, job.spikes)
        if path is not None
        for name in _names(path)
    }
    for job in jobs:
        beside = job.output.with_name(f"{job.output.stem}_compare{job.output.suffix}")
        for output in (job.output, *([beside] if compare else [])):
            for name in _names(output):
                if name in inputs:
                    raise UsageError(
                        f"the output of {job.video} would replace {inputs[name]}, which is read - "
                        "choose another output"
                    )


def _names(path: Path) -> list[object]:
    """What a file is known by: its path without links, and its place on the disk if it exists."""
    real = os.path.realpath(path)
    try:
        found = os.stat(real)
    except (OSError, ValueError):
        return [real]
    return [real, (found.st_dev, found.st_ino)]


def run_jobs(
    console: Console,
    jobs: Sequence[VideoJob],
    work: Callable[[int, VideoJob], Outcome],
    results: BatchResults,
) -> ExitStatus:
    """Do every job; one that fails does not stop the others, unless it is the only one."""
    try:
        for index, job in enumerate(jobs):
            began = time.monotonic()
            try:
                outcome = work(index, job)
            except BrokenPipeError:  # nobody reads the output any more
                raise
            except Exception as error:
                results.failed(index, reason(error), time.monotonic() - began)
                if len(jobs) == 1:
                    raise
                console.error(f"{job.video}: {reason(error)}", error)
            else:
                results.done(index, outcome, time.monotonic() - began)
    finally:
        results.write_failures()
    return results.sum_up()


def spikes_beside(video: Path) -> Path | None:
    """STEM.dat beside a video, FOLDER.dat beside a folder of images, if it is there."""
    if not video.name:
        return None
    beside = video.with_suffix(".dat")
    if _is_sequence(video):
        beside = video.absolute().parent.with_name(f"{_stem(video)}.dat")
    return beside if beside.exists() else None


def spikes_for(videos: Sequence[Path], spikes: Sequence[Path]) -> list[Path | None]:
    """The spikes of each video, as `plan_jobs` pairs them; None where there are none beside it."""
    if not spikes:
        return [spikes_beside(video) for video in videos]
    if len(spikes) == 1 and STEM in str(spikes[0]):
        return [Path(str(spikes[0]).replace(STEM, _stem(video))) for video in videos]
    if len(spikes) == 1 and spikes[0].is_dir():
        named = [spikes[0] / f"{_stem(video)}.dat" for video in videos]
        # A folder that has no such file, for one video, is a recording in several files itself.
        return list(spikes) if len(videos) == 1 and not named[0].exists() else list(named)
    if len(spikes) != len(videos):
        raise UsageError(
            f"{len(spikes)} spike files for {len(videos)} videos - give --spikes once "
            "for each, or a folder, or a pattern such as DIR/{stem}.dat; images of one video are "
            "given by their folder, or by %05d in place of their numbers"
        )
    return list(spikes)


def _is_sequence(video: Path) -> bool:
    from spikedeblur.io.image_names import is_pattern

    return is_pattern(video)


def _stem(video: Path) -> str:
    """The name of a video without suffix; of numbered images that of their folder."""
    return video.absolute().parent.name if _is_sequence(video) else video.stem


def _default_output(video: Path, folder: Path | None) -> Path:
    from spikedeblur.io.image_names import is_one_of_several

    if video == PIPE:
        return PIPE
    if _is_sequence(video) or is_one_of_several(video):  # a name there would be of a second one
        within = video.absolute().parent
        beside = video.parent.parent if video.parent.name else Path("..")
        return (folder or beside) / _deblurred(within.name, "") / video.name
    return (folder or video.parent) / _deblurred(video.stem, video.suffix)


def _deblurred(stem: str, suffix: str) -> str:
    """STEM_deblurred with its suffix; of a stem that is too long for that, as much as fits."""
    room = LONGEST_NAME - len(os.fsencode(f"{MADE}_compare{suffix}"))
    if len(os.fsencode(stem)) <= room:
        return f"{stem}{MADE}{suffix}"
    kept = stem
    while len(os.fsencode(kept)) > max(room, 1) and len(kept) > 1:
        kept = kept[:-1]
    name = f"{kept}{MADE}{suffix}"
    LOGGER.info("a name made of %s would be too long: the output is %s", stem + suffix, name)
    return name


def _images_inside(output: Path, video: Path) -> Path:
    """The images named as those of `video` in `output`, where that is a folder; else `output`."""
    folder = output.is_dir() or (not output.suffix and not is_pipe(output))
    return output / video.name if folder and _is_sequence(video) else output
