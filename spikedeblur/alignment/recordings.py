"""Alignment of recordings: a bounded part of each is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from spikedeblur.alignment.cost import AlignmentPlan, plan_alignment
from spikedeblur.alignment.estimation import Aligner
from spikedeblur.alignment.findings import Alignment, Known
from spikedeblur.alignment.footage import read_burst, read_footage
from spikedeblur.alignment.jumps import Jump, JumpSearch
from spikedeblur.errors import LOGGER, InputError, SpikedeblurError, UsageError
from spikedeblur.io.spikes.settings import RecordingSettings, merged
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source

ALIGNMENT_STEPS = 4  # of one alignment without drift
# A recording is of another rig whose homography is farther from the shared one than that.
FARTHEST_PX, STRANGE = 1.0, 4.0  # video pixels, and times its error


def align_files(
    video: Path,
    spikes: Path,
    options: RecordingSettings | None = None,
    known: Known | None = None,
    drift: bool = False,
    *,
    progress: Callable[[int, int], None] | None = None,
    on_plan: Callable[[AlignmentPlan], None] | None = None,
) -> Alignment:
    """Align a recording by what both cameras saw.

    spikes: a .dat, read by `options`, else its sidecar, else by inference. Their offset is where
    the search for the offset begins, six frame intervals either way, and their exposure, if they
    have one, where the search for the exposure does. drift: estimate also how the clocks drift
    apart, as a rate other than the nominal one. progress: called with (steps done, all of them).
    on_plan: called first, with what it costs by a trial.
    Raises `InputError` if it cannot tell: too little of it, no texture, no motion, no likeness;
    and what reading the files raises.
    """
    LOGGER.info("reading frames")
    options, sidecar = options or RecordingSettings(), find_sidecar(spikes)
    said = merged(("option", options), ("sidecar", sidecar), ("rig", options.fallback))
    footage = read_footage(video, said.transfer)
    source = resolve_spike_source(
        spikes, options, sidecar, duration_s=footage.duration_s, interval_s=footage.first_interval_s
    )
    with source.open(footage.first_s) as stream:
        aligner = Aligner(footage, source, stream, known or Known(), drift, progress)
        if on_plan is not None:
            on_plan(plan_alignment(aligner))
        failure: InputError | None = None
        try:
            found = aligner.run()
        except InputError as error:
            failure = error
        settings = source.settings
        jumps: tuple[Jump, ...] = ()
        if len(footage.bursts) > 1 and not settings.offset_jumps and aligner.known.offset_s is None:
            read = partial(read_burst, video, how=said.transfer)
            jumps = JumpSearch(aligner, read).found()
    if jumps:
        first = jumps[0][0]
        LOGGER.info("aligning with %d jumps of the clock, the first at %.3f s", len(jumps), first)
        source = replace(source, settings=replace(settings, offset_jumps=jumps))
        # Before a jump as after it, as the search for them found.
        with source.open(footage.first_s) as stream:
            return Aligner(footage, source, stream, known or Known(), drift).run()
    if failure is not None:
        raise failure
    return found


def align_rig(
    recordings: Sequence[tuple[Path, Path]],
    options: RecordingSettings | None = None,
    known: Known | None = None,
    drift: bool = False,
    *,
    progress: Callable[[int, int], None] | None = None,
    on_plan: Callable[[AlignmentPlan], None] | None = None,
) -> list[Alignment | SpikedeblurError]:
    """Align recordings of one rig, of (video, spikes): one homography for all, an offset each.

    Each is aligned by itself first; what those that can tell say of the homography is averaged by
    its certainty, but for those that differ from most, and all are aligned anew with it, also those
    that could not tell before.
    options, known, drift: as of `align`, for each. progress: called with (steps done, all of them),
    four steps for each recording and time. on_plan: called with what each costs by itself.
    Returns for each the alignment, or the error why there is none.
    """
    known = known or Known()
    rounds = 2 if known.homography is None and len(recordings) > 1 else 1
    total = ALIGNMENT_STEPS * rounds * len(recordings)

    def aligned(known: Known, done: int) -> list[Alignment | SpikedeblurError]:
        found: list[Alignment | SpikedeblurError] = []
        for video, spikes in recordings:
            before = done + ALIGNMENT_STEPS * len(found)

            def told(steps: int, _: int, before: int = before) -> None:
                if progress is not None:
                    progress(before + min(steps, ALIGNMENT_STEPS), total)

            try:
                plan = None if done else on_plan  # once for each
                found.append(
                    align_files(video, spikes, options, known, drift, progress=told, on_plan=plan)
                )
            except SpikedeblurError as error:
                found.append(error)
        return found

    alone = aligned(known, 0)
    sure = {
        video: each
        for (video, _), each in zip(recordings, alone, strict=True)
        if isinstance(each, Alignment)
    }
    if rounds == 1 or not sure:
        return alone
    away = _pixels_from_median(list(sure.values()))
    fitting = []
    for (video, each), pixels in zip(sure.items(), away, strict=True):
        if pixels <= FARTHEST_PX + STRANGE * each.errors.homography:
            fitting.append(each)
            continue
        LOGGER.warning(
            "%s: its spikes lie %.1f pixels from where those of most recordings do - is it of the "
            "same rig?",
            video,
            pixels,
        )
    shared, error = shared_homography(fitting or list(sure.values()))
    again = aligned(replace(known, homography=shared), total // 2)
    return [
        replace(each, errors=replace(each.errors, homography=error))
        if isinstance(each, Alignment)
        else each
        for each in again
    ]


def shared_homography(found: Sequence[Alignment]) -> tuple[tuple[float, ...], float]:
    """The homography of several alignments by their certainty, and its error in video pixels.

    Averaged is where the corners of the spike plane lie. Raises `UsageError` for planes of
    different sizes.
    """
    planes = {each.source.settings.pixels for each in found}
    if len(planes) > 1:
        sizes = " and ".join(sorted("{}x{}".format(*plane) for plane in planes if plane))
        raise UsageError(f"spikes of {sizes} pixels are of no one rig - align them in two calls")
    weights = np.array([max(each.errors.homography, 1e-3) ** -2.0 for each in found])
    corners = np.stack([_corners(each) for each in found])
    mean = np.tensordot(weights / weights.sum(), corners, 1)
    rows = []
    for (x, y), (u, v) in zip(_plane(found[0]).T, mean.T, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, v])
    equations = np.array(rows)
    solved = np.linalg.solve(equations[:, :8], equations[:, 8])
    return (*solved.tolist(), 1.0), float(weights.sum() ** -0.5)


def _pixels_from_median(found: Sequence[Alignment]) -> list[float]:
    """How far the corners of each spike plane lie from where those of most do, video pixels."""
    corners = np.stack([_corners(each) for each in found])
    away = np.abs(corners - np.median(corners, axis=0)).max(axis=(1, 2))
    return [float(each) for each in away]


def _plane(found: Alignment) -> np.ndarray:
    """The corners of the spike plane, (2, 4), by the centres of their pixels."""
    width, height = found.source.settings.pixels or (1, 1)
    return np.array([[0.0, width - 1, width - 1, 0], [0.0, 0, height - 1, height - 1]])


def _corners(found: Alignment) -> np.ndarray:
    """Where they lie in the video, (2, 4)."""
    mapped = np.reshape(found.homography, (3, 3)) @ np.vstack([_plane(found), np.ones(4)])
    places: np.ndarray = mapped[:2] / mapped[2]
    return places
