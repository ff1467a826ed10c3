"""deblur --cluster: the videos of a call as tasks of a cluster, with one bar for all of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from spikedeblur.cli.batch import VideoJob
from spikedeblur.cli.beforehand import check_paths
from spikedeblur.cli.console import Console
from spikedeblur.cli.deblurring import Task, counted_outcome, skipped
from spikedeblur.cli.plan import check_job_output
from spikedeblur.cli.progress import Progress
from spikedeblur.cli.reasons import reason
from spikedeblur.cli.results import BatchResults
from spikedeblur.cli.status import ExitStatus
from spikedeblur.errors import OutputError, SpikedeblurError, UsageError, warn_of
from spikedeblur.io.pipes import is_pipe
from spikedeblur.machine.threads import usable_cores
from spikedeblur.quantities import counted

if TYPE_CHECKING:
    from spikedeblur.io.video import VideoSelection
    from spikedeblur.output.frame_counts import FrameCounts
    from spikedeblur.restoration.cluster import Cluster, Needs, TaskEnd
    from spikedeblur.restoration.cluster_task import ClusterVideo
    from spikedeblur.restoration.pipeline import Deblurrer
    from spikedeblur.restoration.plan import RunPlan


class OnCluster:
    """The videos of a call on a cluster; `build` makes the method ready there."""

    def __init__(
        self,
        console: Console,
        task: Task,
        jobs: Sequence[VideoJob],
        results: BatchResults,
        display: Progress,
        build: partial[Deblurrer],
    ) -> None:
        self._console, self._task, self._jobs = console, task, jobs
        self._results, self._display, self._build = results, display, build
        self._began = time.monotonic()
        self._device: str = build.keywords["device"]
        self._threads: int | None = build.keywords["threads"]
        self._expected: dict[int, int] = {}
        self._left: dict[int, int] = {}
        self._counts: dict[int, FrameCounts] = {}
        self._warned: set[tuple[int, str]] = set()
        if any(is_pipe(job.video) or is_pipe(job.output) for job in jobs) or task.instants:
            raise UsageError(
                "a cluster reads and writes files that can be made in parts (a pipe or --instants "
                "given beside --cluster) - leave one of the two out"
            )

    def run(self, address: str) -> ExitStatus:
        """Do all of them on the cluster at `address`, as of `Cluster`; the worst status."""
        from spikedeblur.restoration.cluster import Cluster

        try:
            with Cluster(address, usable_cores()) as cluster, self._display:
                self._do(cluster)
        except BaseException:
            self._console.resume_hint = "give the same command with --resume to go on"
            raise
        finally:
            self._results.write_failures()
        return self._results.sum_up()

    def _do(self, cluster: Cluster) -> None:
        """Plan the videos, submit them, and take what comes back."""
        from spikedeblur.restoration.cluster import tasks_for
        from spikedeblur.restoration.cluster_task import ClusterWork

        planned = self._planned()
        needs = self._needs(cluster, [plan for _, plan in planned.values()])
        if not planned:
            return
        slots = cluster.slots(needs)
        tasks = tasks_for([self._segments(plan) for _, plan in planned.values()], slots)
        videos = {
            index: self._video(index, selection, plan, number)
            for (index, (selection, plan)), number in zip(planned.items(), tasks, strict=True)
        }
        task, places = self._task, list(videos)
        work = ClusterWork(
            uuid.uuid4().hex,
            self._build_anywhere(),
            task.spike_options,
            task.output_options,
            task.job.segment,
            task.strict,
        )
        self._left = {index: video.tasks for index, video in videos.items()}
        self._console.note(
            f"{sum(self._left.values())} tasks, {slots} at once, of {counted(needs.cores, 'core')}"
            + (f" and {counted(needs.gpus, 'GPU')}" if needs.gpus else "")
        )
        submitted = list(videos.values())
        began, network_s = time.monotonic(), 0.0
        for end in cluster.run(work, submitted, needs, lambda n, f: self._advance(places[n], f)):
            network_s += end.network_s
            self._take(places[end.index], submitted[end.index], end)
        if network_s:
            spent = slots * (time.monotonic() - began)
            self._console.note(
                f"the network had {network_s:.1f} s of the {spent:.1f} s that "
                f"{counted(slots, 'worker')} were there for"
            )

    def _segments(self, plan: RunPlan) -> int | None:
        return None if plan.frames is None else -(-plan.frames // self._task.job.segment)

    def _build_anywhere(self) -> partial[Deblurrer]:
        """The same where another folder is the working one: a weights file by its full path."""
        from spikedeblur.models.checkpoint import packaged_weights

        (weights,) = self._build.args
        if weights is not None and weights not in packaged_weights():
            weights = str(Path(weights).absolute())
        return partial(self._build.func, weights, **self._build.keywords)

    def _planned(self) -> dict[int, tuple[VideoSelection, RunPlan]]:
        """What is to be done with each video that is neither finished nor in the way."""
        from spikedeblur.io.atomic import make_folder
        from spikedeblur.io.video import unused_rate
        from spikedeblur.restoration.plan import plan_run

        task = self._task
        in_parts = replace(task, job=replace(task.job, resume=True))
        planned = {}
        for index, job in enumerate(self._jobs):
            try:
                check_paths(job)
                done = skipped(self._console, task, index, job, resume=task.job.resume)
                if done is not None:
                    self._results.done(index, done, 0.0)
                    continue
                self._check_parts(job)
                selection = task.part.of(job.video)
                warn_of(unused_rate(job.video, selection.rate))
                check_job_output(in_parts, job, selection)
                plan = plan_run(
                    task.deblurrer,
                    job.video,
                    job.spikes,
                    job.output,
                    spike_options=task.spike_options,
                    selection=selection,
                    options=task.output_options,
                    on_trial=False,
                )
                make_folder(job.output.parent)
                planned[index] = selection, plan
            except Exception as error:
                self._fail(index, error)
        return planned

    def _check_parts(self, job: VideoJob) -> None:
        """Refuse to go on unasked, as a run of one process does; forget what is to be replaced."""
        from spikedeblur.output.parts import Parts

        parts = Parts(job.output)
        if self._task.job.resume or not (count := len(parts.numbers())):
            return
        if not self._task.output_options.overwrite:
            raise OutputError(
                f"work of an interrupted run is there ({count} segments in {parts.folder}) - give "
                "--resume to go on, or -y to begin anew"
            )
        parts.remove()

    def _needs(self, cluster: Cluster, plans: Sequence[RunPlan]) -> Needs:
        """A GPU where there are any and the network may use them; the memory of the largest run."""
        from spikedeblur.restoration.cluster import Needs

        device, threads = self._device, self._threads
        wants_gpu = self._task.deblurrer.tiled is not None and device.partition(":")[0] in (
            "auto",
            "cuda",
        )
        memory = max((plan.peak_mb or 0.0 for plan in plans), default=0.0)
        return Needs(threads or 1, int(wants_gpu and cluster.gpus > 0), round(memory * 1e6))

    def _video(
        self, index: int, selection: VideoSelection, plan: RunPlan, tasks: int
    ) -> ClusterVideo:
        from spikedeblur.restoration.cluster_task import ClusterVideo, state_of

        job = self._jobs[index]
        self._expected[index] = (plan.frames or 0) * plan.slowmo
        spikes = None if job.spikes is None else job.spikes.absolute()
        return ClusterVideo(
            job.video.absolute(),
            spikes,
            job.output.absolute(),
            selection,
            tasks,
            state_of(job.output),
        )

    def _advance(self, index: int, frames: int) -> None:
        batch, expected = self._task.batch, self._expected[index]
        if expected and self._left.get(index):
            batch.advance(index, min(frames / expected, 1.0))
        self._show()

    def _show(self) -> None:
        ended = sum(not count for count in self._left.values())
        self._display.advance_to(ended, len(self._jobs))

    def _take(self, index: int, video: ClusterVideo, end: TaskEnd) -> None:
        """Note a task that has ended; with the last one of a video this is done."""
        from spikedeblur.output.joining import join_output
        from spikedeblur.output.parts import Parts

        for warning in end.warnings:
            if (index, warning) not in self._warned:
                self._warned.add((index, warning))
                self._console.warn(f"{self._jobs[index].video}: {warning}")
        if end.error is not None:
            self._left[index] = 0
            self._fail(index, end.error)
            return
        self._left[index] -= 1
        counts = self._counts.setdefault(index, end.counts)
        if end.counts.written > counts.written:
            self._counts[index] = end.counts  # of the task that has joined all
        if self._left[index]:
            return
        try:
            if not video.is_done:  # whoever was to join them has died
                self._counts[index], _ = join_output(Parts(video.output))
        except SpikedeblurError as error:
            self._fail(index, error)
            return
        self._finish(index)

    def _finish(self, index: int) -> None:
        counts, seconds = self._counts[index], time.monotonic() - self._began
        fps = counts.written / max(seconds, 1e-9)
        warned = sum(place == index for place, _ in self._warned)
        self._task.batch.advance(index, 1.0)
        self._console.note(
            f"wrote {self._jobs[index].output}: {counted(counts.written, 'frame')} in "
            f"{seconds:.1f} s, {fps:.2f} fps, {counted(warned, 'warning')}"
        )
        outcome = counted_outcome(counts, fps, joined=True, warnings=warned)
        self._results.done(index, outcome, seconds)
        self._show()

    def _fail(self, index: int, error: BaseException) -> None:
        why = reason(error) if isinstance(error, Exception) else repr(error)
        self._task.batch.leave_out(index)
        self._results.failed(index, why, time.monotonic() - self._began)
        if len(self._jobs) == 1:
            raise error
        self._console.error(f"{self._jobs[index].video}: {why}")
