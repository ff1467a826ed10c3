"""Deblurring one video of a call, from the checks before it to the report after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikedeblur.cli.batch import Outcome, VideoJob
from spikedeblur.cli.beforehand import check_paths
from spikedeblur.cli.console import Console
from spikedeblur.cli.displays import progress_display
from spikedeblur.cli.job_options import JobOptions
from spikedeblur.cli.plan import check_job_output, dry_run, start_line
from spikedeblur.cli.progress import Progress
from spikedeblur.cli.status import ExitStatus
from spikedeblur.cli.values import TimePoint
from spikedeblur.cli.whole import WholeBatch
from spikedeblur.errors import warn_of
from spikedeblur.io.pipes import is_pipe
from spikedeblur.quantities import counted

if TYPE_CHECKING:
    from spikedeblur.io.spikes.settings import RecordingSettings
    from spikedeblur.io.video import VideoSelection
    from spikedeblur.output.frame_counts import FrameCounts
    from spikedeblur.output.options import OutputOptions
    from spikedeblur.output.shards import Shard
    from spikedeblur.quantities import Region
    from spikedeblur.restoration.pipeline import Deblurrer


COUNTED_FRAMES = 500  # frames: up to this number its time is read, beyond it is reckoned


@dataclass(frozen=True)
class VideoPart:
    """A `VideoSelection` whose ends may be numbers of frames, which a video makes times of."""

    start: TimePoint | None
    end: TimePoint | None
    rate: Fraction | None
    colorspace: str | None
    region: Region | None = None

    def of(self, video: Path) -> VideoSelection:
        """The same in seconds on the clock of `video`."""
        from spikedeblur.io.video import VideoSelection, open_video

        def seconds(point: TimePoint | None) -> Fraction | None:
            if point is None or point.frame is None:
                return None if point is None else point.seconds
            with open_video(video, rate=self.rate) as reader:
                for place, frame in enumerate(islice(reader, min(point.frame, COUNTED_FRAMES) + 1)):
                    if place == 0:
                        begin = frame.time
                    if place == point.frame:
                        return frame.time
                return begin + point.on_clock(reader.info.average_rate)

        start, end = seconds(self.start), seconds(self.end)
        return VideoSelection(start, end, self.rate, self.colorspace, self.region)


@dataclass(frozen=True)
class Task:
    """The work on each video of a call."""

    deblurrer: Deblurrer
    spike_options: RecordingSettings
    output_options: OutputOptions
    part: VideoPart
    instants: Sequence[Fraction] | None
    shard: Shard
    job: JobOptions
    strict: bool
    no_clobber: bool
    as_json: bool
    progress: str
    batch: WholeBatch

    def display(self, console: Console, index: int, video: Path) -> Progress:
        """The progress of the video of that index, called by its name."""
        several = self.batch.count > 1
        return progress_display(
            self.progress,
            f"{index + 1}/{self.batch.count} {video.name}" if several else video.name,
            quiet=console.quiet,
            json_lines=self.as_json,
            batch=self.batch,
            index=index,
            input=str(video),
        )


def deblur_item(console: Console, task: Task, index: int, job: VideoJob) -> Outcome:
    """Deblur one video, the one of that index."""
    from spikedeblur.io.atomic import make_folder
    from spikedeblur.io.video import unused_rate

    check_paths(job)
    options, shard = task.output_options, task.shard
    resume = task.job.resume or shard.count > 1
    if (outcome := skipped(console, task, index, job, resume=resume)) is not None:
        return outcome
    selection = task.part.of(job.video)
    if task.job.dry_run:
        return Outcome(ExitStatus.OK, plan=dry_run(console, task, job, selection))
    warned = console.warnings
    with (
        task.display(console, index, job.video) as display,
        resume_hint(console, job.output, display),
        console.warnings_as_json(input=str(job.video)) if task.as_json else nullcontext(),
    ):
        warn_of(unused_rate(job.video, selection.rate))
        check_job_output(task, job, selection)
        _tell_start(console, task, job, selection, display)
        display.begin_work()
        if not is_pipe(job.output):
            make_folder(job.output.parent)
        tally = task.deblurrer.run(
            job.video,
            job.spikes,
            job.output,
            spike_options=task.spike_options,
            start=selection.start,
            end=selection.end,
            rate=selection.rate,
            colorspace=selection.colorspace,
            region=selection.region,
            instants=task.instants,
            strict=task.strict,
            resume=resume,
            shard=shard,
            segment=task.job.segment,
            on_frame=display.advance_to,
            on_tile=display.advance_tile,
            options=options,
        )
    warnings = console.warnings - warned
    joined = shard.count == 1 or _is_finished(job.output)
    console.note(
        f"wrote {job.output if joined else f'shard {shard} of {job.output}'}: "
        f"{counted(tally.written, 'frame')} in {display.seconds:.1f} s, "
        f"{display.fps:.2f} fps, {counted(warnings, 'warning')}"
    )
    return counted_outcome(tally, display.fps, joined=joined, warnings=warnings)


def skipped(
    console: Console, task: Task, index: int, job: VideoJob, *, resume: bool
) -> Outcome | None:
    """The outcome of a video with which there is nothing to do; None for any other."""
    may_replace = task.output_options.overwrite
    if not (task.no_clobber and job.output.exists()) and not (
        resume and not may_replace and _is_finished(job.output, tidy=True)
    ):
        return None
    console.note(f"{job.output} exists: nothing to do")
    task.batch.leave_out(index)
    return Outcome(ExitStatus.OK, skipped=True, figures={**_figures(0, 0.0), "warnings": 0})


def counted_outcome(tally: FrameCounts, fps: float, *, joined: bool, warnings: int) -> Outcome:
    """The outcome of a video, or a shard of one, by what became of its frames."""
    figures = {
        **_figures(tally.written, fps),
        "joined": joined,
        "warnings": warnings,
        "partial": tally.partial,
        "uncovered": tally.uncovered,
        "not_finite": tally.not_finite,
        "damaged": tally.damaged,
    }
    status = ExitStatus.DAMAGED_INPUT if tally.input_was_damaged else ExitStatus.OK
    return Outcome(status, tally.written, figures=figures)


def _figures(frames: int, fps: float) -> dict[str, Any]:
    from spikedeblur.machine.memory import peak_rss_mb

    return {"frames": frames, "fps": round(fps, 3), "peak_rss_mb": round(peak_rss_mb(), 1)}


@contextmanager
def resume_hint(console: Console, output: Path, progress: Progress) -> Iterator[None]:
    """Say how to go on with the segments of `output` that are done, if the block raises."""
    try:
        yield
    except BaseException as error:
        from spikedeblur.output.parts import Parts

        parts = Parts(output)
        if progress.frames and (count := len(parts.numbers())):
            console.resume_hint = (
                f"{count} segment{'s' * (count > 1)} kept in {parts.folder}: give the "
                "same command with --resume to go on"
            )
            if isinstance(error, Exception):
                console.note(console.resume_hint)
        raise


def _tell_start(
    console: Console, task: Task, job: VideoJob, selection: VideoSelection, display: Progress
) -> None:
    """Say what is about to be done; how long it takes too, where that is worth a trial."""
    from spikedeblur.restoration.plan import plan_run, worth_trying

    if task.instants is not None:
        with selection.open(job.video) as reader:
            info = reader.info.written
        console.note(
            f"{counted(len(set(task.instants)), 'instant')} of {info.width}x{info.height} by "
            f"{task.deblurrer.method}: pictures alone, in one go"
        )
        return
    if console.quiet:
        return
    plan = partial(
        plan_run,
        task.deblurrer,
        job.video,
        job.spikes,
        job.output,
        spike_options=task.spike_options,
        selection=selection,
        options=task.output_options,
    )
    planned = plan(on_trial=False)
    slow = worth_trying(planned)
    display.part = "tile" if planned.tiling else "step"
    display.begin((planned.frames or 0) * planned.slowmo or None, planned.passes, slow=slow)
    if slow:
        planned = plan()
    if slow or task.batch.count == 1:  # one line, of the result, is enough for each short clip
        console.note(start_line(planned))


def _is_finished(output: Path, tidy: bool = False) -> bool:
    """Return whether `output` is done. tidy: then remove what a kill may have left."""
    from spikedeblur.output.parts import Parts, is_finished

    finished = is_finished(output)
    if finished and tidy:
        Parts(output).remove()
    return finished
