"""Sharp frames one by one, for callers that do with them what they like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from spikedeblur.agreement.verdict import Agreement
from spikedeblur.agreement.watch import watched
from spikedeblur.errors import LOGGER
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.video import Reader, VideoSelection, VideoSource
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.output.destinations import WHOLE
from spikedeblur.output.restored import Timing
from spikedeblur.restoration.exposing import Spikes, exposed_frames, warned_agreement
from spikedeblur.restoration.instants import InstantsRestorer
from spikedeblur.restoration.restorers import Restorer
from spikedeblur.restoration.selection import Selection

if TYPE_CHECKING:
    from spikedeblur.restoration.pipeline import Deblurrer


def restored_frames(
    deblurrer: Deblurrer,
    reader: Reader,
    spikes: Spikes | None,
    options: RecordingSettings | None = None,
    *,
    source: VideoSource | None = None,
    selection: VideoSelection | None = None,
    instants: Sequence[Fraction | float] | None = None,
) -> Iterator[VideoFrame]:
    """Yield the sharp frames of an open video, as `Deblurrer.run` would write them.

    source, selection: what the reader was opened from, to see beforehand whether the spikes belong
    to it; needed for `instants`, which are restored alone.
    """
    chosen = selection or VideoSelection()
    restorer: Restorer = deblurrer.restorer
    timing: Timing = deblurrer.slow_motion
    segments: Iterator[range] = iter([WHOLE])
    if instants is not None:
        assert source is not None
        placed = deblurrer.place_instants(source, spikes, instants, chosen, options)
        single = InstantsRestorer(restorer, deblurrer.prepared.at, placed.targets)
        timing, restorer, segments = placed, single, single.segments
    frames, exposures = deblurrer.open_spikes(reader, spikes, options)
    deblurrer.begin()
    agreement: Agreement | None = None
    if source is not None:
        agreement = warned_agreement(source, exposures, chosen)
    needed = Selection(segments, restorer.context)
    exposed = watched(exposed_frames(restorer, frames, exposures, needed), exposures, agreement)
    for _, sharp in deblurrer.pairs(restorer, exposed, timing, reader.info.kept):
        yield sharp
    deblurrer.tally.check_coverage()
    if source is None:  # whoever asked for frames alone has the tally
        return
    foretold = agreement and agreement.coverage and agreement.coverage.uncovered
    for message in deblurrer.tally.warnings(foretold or 0):
        LOGGER.warning("%s", message)
