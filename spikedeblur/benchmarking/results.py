"""Results: one method on one case, and means over cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np

from spikedeblur.benchmarking.cases import Case, Workload
from spikedeblur.benchmarking.isolation import in_own_process
from spikedeblur.benchmarking.runs import Plan, RunCost, finished_runs, timed_runs
from spikedeblur.benchmarking.scores import FIGURES, Score
from spikedeblur.benchmarking.setups import Setup
from spikedeblur.errors import InputError

Watch = Callable[[Case, Setup, int, np.ndarray], None]
MEAN_OF = (*FIGURES, "first_frame_seconds", "seconds_per_frame", "frames_per_second")
GROUPED_BY = ("method", "device", "precision", "threads", "tile")


@dataclass(frozen=True, kw_only=True)
class Result:
    """One method on one case: quality as in `Score`, None without ground truth; time and memory,
    None for a finished video.
    """

    case: str
    method: str
    psnr: float | None = None
    ssim: float | None = None
    temporal: float | None = None
    seconds_per_frame: float | None
    peak_rss_mb: float | None

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class MethodResult(RunCost, Result):
    """One method on one case or on made-up frames, with everything that was measured of it.

    group: the folder of the case. protocol: the published set that it is a part of, or empty.
    weights: file of the network's.
    """

    group: str
    protocol: str = ""
    weights: str | None
    psnr_y: float | None = None
    ssim_y: float | None = None
    lpips: float | None = None
    psnr_of_frames: Sequence[float] = ()


def measure(
    setup: Setup,
    jobs: Sequence[Workload],
    plan: Plan | None = None,
    *,
    isolated: bool = True,
    watch: Watch | None = None,
) -> Iterator[MethodResult]:
    """Run one method over its jobs; yield a result for each.

    isolated: in its own process. watch: called with (case, setup, number of the frame, frame)
    for each frame that has a truth.
    Raises `InputError` if blurry and sharp video do not have the same frames, and what the
    method raises.
    """
    plan = plan or Plan()
    if setup.video is not None:
        run = finished_runs(setup, jobs)
    elif isolated:
        run = in_own_process(timed_runs, setup, jobs, plan, True)
    else:
        run = timed_runs(setup, jobs, plan)
    with closing(run) as items:  # type: ignore[type-var]
        for job in jobs:
            score, truth = Score(), job.truth()
            for number, item in enumerate(items):
                sharp = next(truth, None) if job.has_truth else None
                if isinstance(item, RunCost):
                    if score.frames and sharp is not None:
                        raise unlike(job, setup)
                    yield MethodResult(
                        case=job.name,
                        group=job.group,
                        protocol=job.protocol,
                        method=setup.method,
                        weights=setup.weights,
                        psnr_of_frames=[frame["psnr"] for frame in score.frames],
                        **asdict(item),
                        **score.means(),
                    )
                    break
                if sharp is None or sharp.rgb.shape != item.shape:
                    raise unlike(job, setup)
                score.add(item, sharp.rgb)
                if watch is not None and isinstance(job, Case):
                    watch(job, setup, number, item)


def unlike(job: Workload, setup: Setup) -> InputError:
    """Return the error for a video and a truth that do not have the same frames."""
    if isinstance(job, Case) and setup.video is None:
        return job.unlike()
    return InputError(
        f"{setup.video_of(job)} and the sharp video of {job.name} differ in frames or size - "
        "spikedeblur score shows how"
    )


def means(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Means of each method over the cases of a group, and over all of them.

    A group of one case has no mean, and one that holds all cases no second one. Every case counts
    the same; those of published sets as many times as they have frames, as papers have it.
    peak_rss_mb is the largest. `group` is None for all cases.
    """
    rows = [result.as_json() for result in results if isinstance(result, MethodResult)]
    groups = list(dict.fromkeys(row["group"] for row in rows))
    found = []
    for group in (*(groups if len(groups) > 1 else ()), None):
        inside = [row for row in rows if group is None or row["group"] == group]
        for settings in dict.fromkeys(tuple(row[name] for name in GROUPED_BY) for row in inside):
            alike = [row for row in inside if tuple(row[name] for name in GROUPED_BY) == settings]
            if len(alike) > 1:
                found.append(
                    {
                        "group": group,
                        "cases": len(alike),
                        **dict(zip(GROUPED_BY, settings, strict=True)),
                        **{name: _mean(name, alike) for name in MEAN_OF},
                        "peak_rss_mb": max(
                            (row["peak_rss_mb"] for row in alike if row["peak_rss_mb"]),
                            default=None,
                        ),
                    }
                )
    return found


def _mean(name: str, rows: Sequence[dict[str, Any]]) -> float | None:
    known = [row for row in rows if row[name] is not None]
    weights = [row["frames"] if row["protocol"] else 1 for row in known]
    return fmean([row[name] for row in known], weights) if known else None
