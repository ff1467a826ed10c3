"""spikedeblur voxelize: spikes become voxel grids, one for each video frame."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikedeblur.cli.batch import STEM
from spikedeblur.cli.command import Command
from spikedeblur.cli.console import Console
from spikedeblur.cli.displays import progress_display
from spikedeblur.cli.options import (
    json_option,
    overwrite_option,
    progress_option,
    spike_options,
    threads_option,
)
from spikedeblur.cli.progress import Progress
from spikedeblur.cli.status import ExitStatus
from spikedeblur.cli.values import HERTZ
from spikedeblur.errors import SpikedeblurError, UsageError
from spikedeblur.machine.threads import limit_threads
from spikedeblur.quantities import counted
from spikedeblur.vocabulary import BINS

if TYPE_CHECKING:
    import numpy as np

    from spikedeblur.io.spikes.settings import RecordingSettings
    from spikedeblur.io.spikes.source import SpikeSource


@click.command("voxelize", cls=Command)
@click.argument(
    "recordings", nargs=-1, required=True, metavar="SPIKES...", type=click.Path(path_type=Path)
)
@spike_options
@click.option(
    "--video",
    "videos",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Take the exposures of this video's frames; once for all recordings, or once for each.",
)
@click.option(
    "--fps",
    "frames_per_second",
    type=HERTZ,
    metavar="F",
    help="Take exposures at this rate instead, from time 0 on.",
)
@click.option(
    "--bins",
    type=click.IntRange(1, 4096),
    default=BINS,
    show_default=True,
    metavar="K",
    help="Bins per exposure.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT.tif|.npy|.npz",
    help="What to write.  [default: SPIKES with the suffix .tif]",
)
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write STEM.tif into this folder instead; it is created.",
)
@click.option(
    "--preview",
    type=click.Path(path_type=Path),
    metavar="OUT.png|OUT.mp4",
    help="Also write what the grids show at the middle of each exposure: a picture of "
    "the middle frame, or a film of all. {stem} stands for that of the spikes.",
)
@overwrite_option
@threads_option
@json_option("JSON lines on stdout; the last one sums up.")
@progress_option
@click.pass_obj
def command(
    console: Console,
    *,
    recordings: tuple[Path, ...],
    videos: tuple[Path, ...],
    output: Path | None,
    output_dir: Path | None,
    preview: Path | None,
    spike_options: RecordingSettings,
    frames_per_second: Fraction | None,
    bins: int,
    overwrite: bool,
    threads: int | None,
    as_json: bool,
    progress: str,
) -> ExitStatus:
    """Sort spikes into voxel grids, one for each video frame.

    They are counts (T, K, H, W): T a video frame, K a bin of its exposure. A TIFF holds float32
    pages with axes TZYX; its description says what is known of the recording. Several recordings
    are done one after the other; one that fails does not stop the others.
    """
    limit_threads(threads)
    _check(recordings, videos, output, output_dir, preview, frames_per_second)
    if output_dir is not None:
        from spikedeblur.io.atomic import make_folder

        make_folder(output_dir)
    frames, outputs, failed = 0, [], []
    for number, spikes in enumerate(recordings):
        video = videos[min(number, len(videos) - 1)] if videos else None
        beside = _named_after(spikes)
        out = output or (beside if output_dir is None else output_dir / beside.name)
        shown = preview and Path(str(preview).replace(STEM, spikes.stem))
        try:
            with progress_display(
                progress, f"{spikes.name}:", quiet=console.quiet, json_lines=as_json
            ) as display:
                frames += _voxelize(
                    console,
                    spikes,
                    video,
                    out,
                    shown,
                    spike_options=spike_options,
                    frames_per_second=frames_per_second,
                    bins=bins,
                    overwrite=overwrite,
                    display=display,
                )
            outputs.append(str(out))
        except SpikedeblurError as error:
            if len(recordings) == 1:
                raise
            console.error(f"{spikes}: {error}", error)
            failed.append(str(spikes))
    if as_json:
        named = outputs if len(recordings) > 1 else outputs[0]
        told = {"event": "done", "frames": frames, "output": named, "failed": failed}
        console.json({**told, "warnings": console.warnings})
    if failed:
        console.error(
            f"{len(failed)} of {len(recordings)} recordings failed ({', '.join(failed)})"
            " - the reasons are above"
        )
    return ExitStatus.FAILED if failed else ExitStatus.OK


def _named_after(spikes: Path) -> Path:
    """The file or folder with the suffix .tif in place of its own; `.`, `..` and `/` have none."""
    if spikes.name in ("", ".."):
        spikes = Path(os.path.abspath(spikes))
    return spikes.with_suffix(".tif") if spikes.name else spikes / "spikes.tif"


def _check(
    recordings: Sequence[Path],
    videos: Sequence[Path],
    output: Path | None,
    output_dir: Path | None,
    preview: Path | None,
    rate: Fraction | None,
) -> None:
    """Refuse what does not pair. Raises `UsageError`."""
    several = len(recordings) > 1
    if bool(videos) == (rate is not None):
        raise UsageError("the exposures are not known - give one of --video VIDEO and --fps F")
    if len(videos) not in (0, 1, len(recordings)):
        raise UsageError(
            f"{len(videos)} videos for {len(recordings)} recordings - give --video "
            "once, or once for each"
        )
    if output is not None and (several or output_dir is not None):
        raise UsageError(
            f"one output for several recordings, or beside --output-dir ({output}) - "
            "give --output-dir DIR alone"
        )
    if several and preview is not None and STEM not in str(preview):
        raise UsageError(
            f"one preview for {len(recordings)} recordings ({preview}) - give a "
            "pattern such as {stem}.png"
        )
    if several and len({path.stem for path in recordings}) < len(recordings):
        raise UsageError(
            "two recordings have one name, and so one output - voxelize them in separate calls"
        )


def _voxelize(
    console: Console,
    spikes: Path,
    video: Path | None,
    output: Path,
    preview: Path | None,
    *,
    spike_options: RecordingSettings,
    frames_per_second: Fraction | None,
    bins: int,
    overwrite: bool,
    display: Progress,
) -> int:
    """Voxelize one recording; its frames are returned."""
    from spikedeblur.inspection.previews import previewed
    from spikedeblur.io.spikes.sidecar import find_sidecar
    from spikedeblur.io.spikes.source import resolve_spike_source
    from spikedeblur.io.voxel_writer import write_voxels
    from spikedeblur.io.voxels import VoxelInfo
    from spikedeblur.recording.exposures import StreamExposures
    from spikedeblur.recording.gridding import interval_grids, regular_spans, spans_of
    from spikedeblur.recording.lenses import Lenses

    shown, size = spans_of(video) if video is not None else (None, None)
    first, duration = (
        (shown[0], sum(shown[-1]) - shown[0][0]) if shown else ((Fraction(0),) * 2, None)
    )
    source = resolve_spike_source(
        spikes, spike_options, find_sidecar(spikes), duration_s=duration, interval_s=first[1]
    )
    _check_rig(console, source, size, output)
    exposures = StreamExposures.of_source(source, bins=bins, first_pts_s=first[0], video_size=size)
    with exposures.stream as stream:
        if shown is None:
            assert frames_per_second is not None
            shown = regular_spans(frames_per_second, stream.offset_s + stream.duration_s)
        intervals = [exposures.interval(pts_s, interval_s) for pts_s, interval_s in shown]
        lenses = exposures.lenses or Lenses()
        info = VoxelInfo(
            rate_hz=float(stream.rate_hz),
            exposure_s=float(intervals[0].length / stream.rate_hz),
            homography=exposures.homography,
            video_lens=lenses.video,
            spike_lens=lenses.spikes,
        )
        shape = len(intervals), bins, stream.height, stream.width
        grids: Iterator[np.ndarray] = interval_grids(exposures, intervals, bins, display.advance_to)
        if preview is not None:
            grids = previewed(grids, preview, len(intervals), 1 / shown[0][1], overwrite=overwrite)
        write_voxels(output, grids, shape, info, overwrite=overwrite)
        for _ in grids:  # a writer may stop at the last grid: the preview ends after it
            pass
    console.note(
        f"wrote {output}: {counted(shape[0], 'frame')} of {bins} bins, {shape[3]}x{shape[2]} pixels"
    )
    return shape[0]


def _check_rig(
    console: Console, source: SpikeSource, video_size: tuple[int, int] | None, output: Path
) -> None:
    """See to it that where the spikes lie is not lost. Raises `UsageError`."""
    if source.settings.scale is not None and video_size is None:
        raise UsageError(
            f"where the spikes lie is not known (scale in the sidecar of {source.path}"
            ", no video) - give --video, or a homography in place of the scale"
        )
    settings = source.settings
    laid = settings.scale, settings.homography, settings.video_lens, settings.spike_lens
    if any(laid) and output.suffix.lower() == ".npy":
        console.warn(
            f"a .npy cannot tell where the spikes lie on the frame ({output}) - write a "
            ".tif or .npz for deblur"
        )
