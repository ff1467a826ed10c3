"""Alignment of recordings: a bounded part of each is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spikedeblur.alignment.estimation import Aligner
from spikedeblur.alignment.findings import Alignment, Known
from spikedeblur.alignment.footage import read_footage
from spikedeblur.errors import LOGGER
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source


def align(
    video: Path,
    spikes: Path,
    options: RecordingSettings | None = None,
    known: Known | None = None,
    drift: bool = False,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Alignment:
    """Align a recording by what both cameras saw.

    spikes: a .dat, read by `options`, else its sidecar, else by inference. Their offset is where
    the search for the offset begins, six frame intervals either way, and their exposure, if they
    have one, where the search for the exposure does. drift: estimate also how the clocks drift
    apart, as a rate other than the nominal one. progress: called with (steps done, all of them).
    Raises `InputError` if it cannot tell: too little of it, no texture, no motion, no likeness;
    and what reading the files raises.
    """
    LOGGER.info("reading frames")
    footage = read_footage(video)
    source = resolve_spike_source(
        spikes,
        options or RecordingSettings(),
        find_sidecar(spikes),
        duration_s=footage.duration_s,
        interval_s=footage.first_interval_s,
    )
    with source.open(footage.first_s) as stream:
        return Aligner(footage, source, stream, known or Known(), drift, progress).run()
