"""Counts of what became of the frames, against counting the frames by hand."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.errors import InputError
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.restored import Restored
from spikedeblur.recording.exposures import ExposedFrame
from tests.recordings import frame_at

BLACK = np.zeros((1, 1, 3), np.uint8)
COVERAGES = st.sampled_from([Fraction(0), Fraction(1, 1000), Fraction(1, 2), Fraction(1)])
RUNS = st.lists(st.lists(st.tuples(COVERAGES, st.integers(0, 3)), max_size=6), max_size=4)


def counted(frames: list[tuple[Fraction, int]]) -> FrameCounts:
    counts = FrameCounts()
    for number, (coverage, not_finite) in enumerate(frames):
        exposed = ExposedFrame(frame_at(number, BLACK), None, coverage)
        counts.count(Restored(exposed, None, not_finite))
    return counts


@given(RUNS)
def test_parts_of_a_run_add_up_to_the_whole(runs):
    total = FrameCounts(written=2, damaged=1)
    for run in runs:
        total.add(counted(run))
    frames = [frame for run in runs for frame in run]
    coverages = [coverage for coverage, _ in frames]
    assert asdict(total) == {
        "read": len(frames),
        "written": 2,
        "partial": coverages.count(Fraction(1, 1000)) + coverages.count(Fraction(1, 2)),
        "uncovered": coverages.count(Fraction(0)),
        "not_finite": sum(tiles for _, tiles in frames),
        "damaged": 1,
    }


@pytest.mark.parametrize("covered", [0, 1])
def test_a_run_without_any_spikes_is_an_error(covered):
    counts = counted([(Fraction(0), 0)] * 3 + [(Fraction(1, 9), 0)] * covered)
    if covered:
        counts.check_coverage()
    else:
        with pytest.raises(InputError, match="none of the 3 frames"):
            counts.check_coverage()


@pytest.mark.parametrize(
    ("counts", "number", "damaged"),
    [
        (FrameCounts(read=9), None, False),
        (FrameCounts(read=9, partial=4), "4 of 9", False),
        (FrameCounts(read=9, uncovered=5), "5 of 9", True),
        (FrameCounts(read=9, not_finite=6), "6 tiles", True),
        (FrameCounts(read=9, damaged=7), "in 7 places", True),
    ],
)
def test_each_kind_of_loss_has_one_warning_with_its_number(counts, number, damaged):
    warnings = list(counts.warnings())
    assert len(warnings) == (number is not None)
    assert all(number in warning for warning in warnings)
    assert counts.input_was_damaged == damaged
