"""Large pictures in parts: what is solved for is what the whole gives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.prior import parts
from spikedeblur.prior.features import clip_features
from spikedeblur.prior.solve import Estimate, LinearModel, joint_solve
from tests.prior.measured import measurement
from tests.prior.moving import Moving


@given(st.integers(1, 700), st.sampled_from([1, 2, 4]), st.integers(40, 300), st.integers(0, 60))
def test_parts_are_kept_once_and_have_their_borders(cells, ratio, longest, border):
    length = cells * ratio
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "MOST_AT_ONCE", longest + 2 * border)
        patch.setattr(parts, "OVERLAP", border)
        cut = parts.stretches(length, ratio)
    kept = [pixel for stretch in cut for pixel in range(length)[stretch.kept]]
    assert kept == list(range(length))
    for stretch in cut:
        assert range(length)[stretch.pixels][stretch.inner] == range(length)[stretch.kept]
        assert stretch.start == max(0, stretch.kept.start - -(-border // ratio) * ratio)
        assert stretch.stop >= min(length, stretch.kept.stop + border)
        assert stretch.start % ratio == 0
        assert stretch.stop % ratio == 0
        assert stretch.stop - stretch.start <= longest + 2 * (border + 2 * ratio)


@pytest.mark.parametrize(("size", "plane"), [((48, 120), (24, 60)), ((96, 40), (24, 10))])
def test_what_is_solved_for_in_parts_is_what_the_whole_gives(monkeypatch, size, plane):
    """Borders of 16 pixels, and motion of less than half of them."""
    measured = [measurement(size, plane), measurement(size, plane, seed=1)]
    start = torch.full((2, 1, *size), 0.5)
    whole = LinearModel(measured)
    monkeypatch.setattr(parts, "MOST_AT_ONCE", 64)
    monkeypatch.setattr(parts, "OVERLAP", 24)
    cut = parts.model_of(measured[:1]) + parts.model_of(measured[1:])
    assert isinstance(cut, parts.PartedModel)
    assert len(list(parts.parts(size, plane))) > 2
    for one, other in ((whole, cut), (whole.colours, cut.colours)):
        begun = start if one is whole else start.expand(-1, 2, -1, -1)
        found = [
            joint_solve(model, Estimate.begun(begun).told(model), 0.1, 3).picture
            for model in (one, other)
        ]
        torch.testing.assert_close(*found, atol=1e-4, rtol=0)
    torch.testing.assert_close(cut.unexplained(start), whole.unexplained(start), atol=1e-3, rtol=0)


def test_one_part_where_spike_pixels_are_no_whole_number_of_pixels(monkeypatch):
    monkeypatch.setattr(parts, "MOST_AT_ONCE", 16)
    (only,) = parts.parts((50, 60), (20, 30))
    planes = torch.rand(1, 1, 50, 60)
    assert torch.equal(only.of(planes), planes)


def test_frames_in_parts_come_out_as_the_whole(monkeypatch):
    """To a tenth of one of 255 steps of brightness."""
    rgb, counts, _ = Moving(12, (64, 160)).seen(range(3))
    whole = clip_features(rgb, counts, 0.0)
    monkeypatch.setattr(parts, "MOST_AT_ONCE", 136)
    monkeypatch.setattr(parts, "OVERLAP", 48)
    cut = clip_features(rgb, counts, 0.0)
    assert not torch.equal(cut.pictures, whole.pictures)
    torch.testing.assert_close(cut.pictures, whole.pictures, atol=0.1 / 255, rtol=0)
