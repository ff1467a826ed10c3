"""Restorers: a part of the frames, with its context, comes out as it does from the whole."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.recording.exposures import expose
from spikedeblur.restoration.inference import TiledModel
from spikedeblur.restoration.restorers import ClassicalRestorer, NetRestorer
from tests.networks import Network
from tests.recordings import frame_at


@Network
def mixing(rgb, voxels, target_time):
    """A model whose every frame depends on its place in the window and on all others in it."""
    weights = torch.arange(1.0, 1 + rgb.shape[1]).reshape(1, -1, 1, 1, 1)
    return rgb * 0.5 + (rgb * weights).sum(1, keepdim=True) / weights.sum() * weights / 20


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(1, 14), min_size=1, max_size=3),
    st.integers(1, 6),
    st.integers(0, 1),
    st.data(),
)
def test_a_part_with_its_context_comes_out_as_from_the_whole(shots, window, reach, data):
    stride = data.draw(st.integers(1, window))
    count = sum(shots)
    first = data.draw(st.integers(0, count - 1))
    wanted = range(first, data.draw(st.integers(first + 1, count)))
    starts = np.repeat(np.cumsum([0, *shots[:-1]]), shots)
    rng = np.random.default_rng(count)
    frames = [
        expose(frame_at(place, rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)), None, int(shot))
        for place, shot in enumerate(starts)
    ]
    frames = [replace(each, wanted=each.frame.index in wanted) for each in frames]
    network = replace(mixing, reach=reach)
    restorer = NetRestorer(TiledModel(network, tile=32), window=window, stride=stride)
    whole = list(restorer.restore([replace(each, wanted=True) for each in frames]))
    needed = {
        place
        for shot in set(starts[wanted.start : wanted.stop].tolist())
        for place in restorer.context(wanted, shot)
        if place < count and starts[place] == shot
    }
    part = {
        each.exposed.frame.index: each
        for each in restorer.restore([frames[place] for place in sorted(needed)])
    }
    assert len(needed) <= len(wanted) + len(shots) * (2 * window + stride + 2 * reach)
    for place in wanted:
        np.testing.assert_array_equal(part[place].pictures, whole[place].pictures)


def test_methods_without_a_window_need_no_context():
    restorer = ClassicalRestorer("sdm")
    assert restorer.context(range(3, 7), 0) == range(3, 7)
    frame = frame_at(0, np.zeros((2, 2, 3), np.uint8))
    assert list(restorer.in_shots([frame])) == [(frame, 0)]
    assert expose(frame, None).coverage == Fraction(1)
