"""Before `align` begins: which files belong together, and what a dry run says."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spikedeblur.cli.batch import STEM, spikes_for
from spikedeblur.cli.console import Console
from spikedeblur.errors import InputError, UsageError

if TYPE_CHECKING:
    from spikedeblur.alignment import Known
    from spikedeblur.alignment.cost import AlignmentPlan
    from spikedeblur.io.spikes.settings import RecordingSettings


@dataclass(frozen=True)
class RigRecording:
    """A recording to align, and what is written of it."""

    video: Path
    spikes: Path
    output: Path
    preview: Path | None


def paired_recordings(
    videos: Sequence[Path], spikes: Sequence[Path], output: Path | None, preview: Path | None
) -> list[RigRecording]:
    """Pair videos with spikes and files. Raises `UsageError` for what does not pair."""
    from spikedeblur.io.spikes.sidecar import sidecar_path

    if len(videos) > 1 and output is not None:
        raise UsageError(
            f"one sidecar for {len(videos)} recordings (-o {output}) - leave -o out: each has "
            "its own"
        )
    if len(videos) > 1 and preview is not None and STEM not in str(preview):
        raise UsageError(
            f"one preview for {len(videos)} recordings ({preview}) - give a pattern such as "
            "{stem}.png"
        )
    paired = []
    for video, path in zip(videos, spikes_for(videos, spikes), strict=True):
        assert path is not None  # since --spikes is given
        shown = preview and Path(str(preview).replace(STEM, video.stem))
        paired.append(RigRecording(video, path, output or sidecar_path(path), shown))
    if len({each.output for each in paired}) < len(paired):
        raise UsageError("two videos have the same spikes - give each its own recording")
    return paired


class _EnoughKnown(Exception):
    """Ends a dry run."""


def tell_plan(
    console: Console,
    recordings: Sequence[RigRecording],
    options: RecordingSettings,
    known: Known,
    drift: bool,
    as_json: bool,
) -> None:
    """Say what an alignment would compare and cost; each of several is aligned twice."""
    from spikedeblur.alignment import align_files

    plans: list[AlignmentPlan] = []

    def enough(plan: AlignmentPlan) -> None:
        plans.append(plan)
        raise _EnoughKnown

    for each in recordings:
        with suppress(_EnoughKnown):
            align_files(each.video, each.spikes, options, known, drift, on_plan=enough)
    if not as_json:
        for each, plan in zip(recordings, plans, strict=True):
            console.data(plan.line() if len(plans) == 1 else f"{each.video}: {plan.line()}")
        return
    figures = plans[0].figures()
    if len(plans) > 1:
        rounds = 2 if known.homography is None else 1
        figures = {
            "seconds_estimate": round(rounds * sum(plan.seconds for plan in plans), 1),
            "peak_rss_mb_estimate": round(max(plan.peak_mb for plan in plans)),
            "recordings": [
                {"input": str(each.video), **plan.figures(), "output": str(each.output)}
                for each, plan in zip(recordings, plans, strict=True)
            ],
        }
    else:
        figures["output"] = str(recordings[0].output)
    console.json({"event": "plan", **figures})


def check_outputs(spikes: Path, output: Path, preview: Path | None, overwrite: bool) -> None:
    """Refuse before a search what could not be written after it."""
    from spikedeblur.io.atomic import check_output
    from spikedeblur.io.image_names import is_image_sequence

    if not spikes.exists():
        raise InputError(f"spike file not found ({spikes}) - check the path")
    check_output(output, overwrite)
    if preview is not None:
        check_output(preview, overwrite)
        if not is_image_sequence(preview):
            raise UsageError(f"a picture is PNG or TIFF ({preview} seen) - give --preview X.png")
