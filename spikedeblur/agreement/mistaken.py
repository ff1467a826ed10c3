"""What may lie behind spikes that do not fit: bits in the other order, ticks that come twice."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikedeblur.agreement.comparison import FrameComparison
from spikedeblur.agreement.finding import Finding
from spikedeblur.agreement.glimpses import Look, glimpses
from spikedeblur.agreement.grid import SampleGrid
from spikedeblur.agreement.likeness import likeness
from spikedeblur.agreement.wording import MISFIT
from spikedeblur.errors import SpikedeblurError
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.recording.exposures import Exposures, StreamExposures

CLEARLY = 0.02  # of likeness, by which bits in the other order explain more than anything else
REPEAT_VALUES = 1 << 30  # of spikes that are read to find those that come twice, at most
MARKED_VALUES = 1 << 24
PROBES = 1024  # pixels by which a plane is known
LEAST_RUN = 16  # planes in a row: fewer come twice by chance, where little moves
SEEN_EXPOSURES = 4  # after the begin of the first frame that does not fit, that are looked at
DISTINCT = 0.5  # of them, that are all different: of dark ones every plane is like every other


def bits_reversed(
    looks: Sequence[Look], exposures: Exposures, grid: SampleGrid, found: FrameComparison
) -> Finding | None:
    """That the spikes fit with the bits of each byte in the other order; None else."""
    if not isinstance(exposures, StreamExposures):
        return None
    order = "little" if exposures.stream.settings.bit_order == "big" else "big"
    try:
        stream = exposures.stream.with_bit_order(order)
        if stream is None:
            return None
        other = copy(exposures)
        other.stream = stream
        views = list(glimpses(looks, other, grid, 0.0))
    except SpikedeblurError:  # of headers that are read otherwise, too
        return None
    match = likeness(views, grid) if views else 0.0
    others = max([found.here, *(peak.likeness for peak in found.better)])
    if not match >= max(found.wanted, others + CLEARLY):
        return None
    return Finding(
        MISFIT,
        f"the bits of each byte seem to be in the other order: the spikes resemble the frames by "
        f"{max(found.here, 0.0):.2f} as given, by {match:.2f} the other way - give --bit-order "
        f"{order}",
        {"spike_match": round(found.here, 3), "better_match": round(match, 3), "bit_order": order},
    )


@dataclass(frozen=True)
class Repeat:
    """Ticks [begin, begin + length) that are those from `source` on, bit for bit.

    whole: whether other ticks were seen to follow them.
    """

    begin: int
    source: int
    length: int
    whole: bool


def with_repeat(finding: Finding, exposures: Exposures, exposure_s: float) -> Finding:
    """Add to a finding on spikes that fit no longer where ticks come twice, if they do."""
    if not isinstance(exposures, StreamExposures) or "from_s" not in finding.figures:
        return finding
    stream = exposures.stream
    seen_s = finding.figures["from_s"] + SEEN_EXPOSURES * exposure_s - float(stream.offset_s)
    if (found := repeat(stream, min(int(seen_s * float(stream.rate_hz)), stream.ticks))) is None:
        return finding
    begin_s = float(stream.offset_s + found.begin / stream.rate_hz)
    again = f"the {found.length}" if found.whole else "those"
    return replace(
        finding,
        text=f"from tick {found.begin} on, at {begin_s:.4f} s, the recording repeats itself, "
        f"{again} from tick {found.source} on; {finding.text}",
        figures={
            **finding.figures,
            "repeat_from_s": round(begin_s, 5),
            "repeat_from_tick": found.begin,
            "repeats_tick": found.source,
        },
    )


def repeat(stream: SpikeStream, stop: int) -> Repeat | None:
    """The longest run of ticks before `stop` that came before; None if there is none."""
    size = stream.width * stream.height
    start = max(stop - REPEAT_VALUES // size, 0)
    if stop - start < 2 * LEAST_RUN:
        return None
    known = _marks(stream, start, stop)
    order = np.argsort(known, kind="stable")
    same = known[order[1:]] == known[order[:-1]]
    lags = np.zeros(len(known), np.int64)  # to the last plane of the same mark, 0 for none
    lags[order[1:]] = np.where(same, order[1:] - order[:-1], 0)
    edges = np.flatnonzero(np.diff(lags)) + 1
    begins, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(lags)]])
    lengths = np.where(lags[begins] > 0, ends - begins, 0)
    best = int(lengths.argmax())
    begin, end, lag = int(begins[best]), int(ends[best]), int(lags[begins[best]])
    if end - begin < LEAST_RUN or len(np.unique(known[begin:end])) < DISTINCT * (end - begin):
        return None
    first = start + begin
    some = slice(first, first + LEAST_RUN), slice(first - lag, first - lag + LEAST_RUN)
    if not np.array_equal(stream[some[0]], stream[some[1]]):
        return None
    return Repeat(first, first - lag, end - begin, end < len(known))


def _marks(stream: SpikeStream, start: int, stop: int) -> NDArray[np.uint64]:
    """A number for each plane, (n,), equal for equal ones and hardly ever for others."""
    size = stream.width * stream.height
    step, block = max(size // PROBES, 1), max(MARKED_VALUES // size, 1)
    odd = np.random.default_rng(0).integers(1, 1 << 63, -(-size // step), np.uint64)
    marks = np.empty(stop - start, np.uint64)
    for at in range(start, stop, block):
        planes = stream[at : min(at + block, stop)]
        marks[at - start :][: len(planes)] = planes.reshape(len(planes), -1)[:, ::step] @ odd
    return marks
