"""Quality and speed from Python: benchmark, score, preview."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from spikedeblur.api.calls import python_call
from spikedeblur.api.rigs import RigKeywords, recording_settings
from spikedeblur.api.sources import exact_rate, exact_seconds
from spikedeblur.benchmarking.columns import RESULT_COLUMNS, cell, telling
from spikedeblur.benchmarking.kept import KeptResults, measure_kept
from spikedeblur.benchmarking.planning import plan_setups, plan_workloads
from spikedeblur.benchmarking.published import check_methods
from spikedeblur.benchmarking.runs import Plan
from spikedeblur.benchmarking.scoring import VideoScore, score_integers
from spikedeblur.benchmarking.setups import check_finished
from spikedeblur.benchmarking.summary import summary
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.notebook import row_table
from spikedeblur.quantities import RateLike, Region, TimeLike
from spikedeblur.report.preview import Preview, preview_video

__all__ = ["BenchmarkFigures", "benchmark", "preview", "score"]


class PreviewKeywords(RigKeywords, total=False):
    """Keywords of `preview`. spike_options: in place of those of `RigKeywords`."""

    spike_options: RecordingSettings | None


class BenchmarkFigures(dict[str, Any]):
    """What `benchmark --json` prints: machine, settings, cases (a row each), means; growth."""

    def _repr_html_(self) -> str:
        rows = self["cases"]
        columns = telling(RESULT_COLUMNS, rows)
        cells = [[cell(row, column) for column in columns] for row in rows]
        return row_table("Benchmark", [column[0] for column in columns], cells)


@python_call
def benchmark(
    *cases: str | Path,
    methods: str | None = None,
    weights: str | None = None,
    speed: bool = False,
    sizes: Sequence[tuple[int, int]] = (),
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    threads: int | None = None,
    repeats: int | None = None,
    warm_up: int = 5,
    isolate: bool = False,
    keep: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BenchmarkFigures:
    """Measure quality, speed and memory of `methods`, such as "blurry,sdm,net".

    cases: folders as `simulate` writes them, folders of those, or published sets, of which the test
    part is measured; without any, the bundled sample.
    speed: time made-up frames of `sizes` (width, height) instead, and a made-up clip from file to
    file. repeats: runs, whose median counts. warm_up: frames restored before. isolate: each method
    in its own process, for its memory alone. keep: a file to write each result into at once; what
    it holds is not measured again. progress: called with (runs done, all of them). Raises
    `SpikedeblurError`.
    """
    setups, _ = plan_setups(
        methods,
        weights,
        speed=speed,
        device=device,
        precisions=[precision],
        threads=[] if threads is None else [threads],
        tiles=[tile],
    )
    plan = Plan(warm_up, repeats)
    with TemporaryDirectory(prefix="spikedeblur-") as scratch:
        folders = [Path(case) for case in cases]
        jobs = plan_workloads(folders, sizes, Path(scratch), speed=speed)
        check_methods([setup.kind for setup in setups], jobs)
        check_finished(setups, jobs)
        kept = None if keep is None else KeptResults(Path(keep))
        found = []
        for setup in setups:
            run = measure_kept(setup, jobs, plan, isolated=isolate, kept=kept)
            for place, result in enumerate(run):
                found.append((place, result))
                if progress is not None:
                    progress(len(found), len(setups) * len(jobs))
    results = [result for _, result in sorted(found, key=lambda pair: pair[0])]
    return BenchmarkFigures(summary(results, setups, plan, isolate))


@python_call
def score(result: str | Path | NDArray[Any], truth: str | Path | NDArray[Any]) -> VideoScore:
    """Compare a video with the sharp one, frame by frame.

    result, truth: a video file, images (`out/%05d.png`, or a folder), or an array (T, H, W, 3) of
    uint8, uint16 or floats in 0 to 1. Raises `InputError` for what cannot be read, and unless both
    have as many frames of one size.
    """
    return score_integers(_integers(result), _integers(truth))


@python_call
def preview(
    video: str | Path,
    spikes: str | Path | None,
    *,
    methods: str = "sdm,net",
    weights: str | None = None,
    at: TimeLike | None = None,
    region: Region | str | None = None,
    fps: RateLike | None = None,
    device: str = "auto",
    threads: int | None = None,
    **rig: Unpack[PreviewKeywords],
) -> Preview:
    """Restore one frame of a video by each of `methods`, and say what all would take.

    at: seconds on the video's clock; by default the frame in which most moves. region: the part of
    the frame. fps: of images. rig: as of `RigKeywords`. Raises `SpikedeblurError`.
    """
    options = rig.pop("spike_options", None) or recording_settings(spikes, rig)
    return preview_video(
        video,
        spikes,
        methods=methods,
        weights=weights,
        at=None if at is None else exact_seconds(at),
        region=region,
        rate=exact_rate(fps),
        spike_options=options,
        device=device,
        threads=threads,
    )


def _integers(pictures: str | Path | NDArray[Any]) -> str | Path | NDArray[Any]:
    if isinstance(pictures, np.ndarray) and pictures.dtype.kind == "f":
        return np.rint(pictures.clip(0, 1) * 65535.0).astype(np.uint16)
    return pictures
