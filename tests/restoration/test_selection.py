"""Selection: the frames that some segments need, so that they come out as from the whole video."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.output.destinations import WHOLE
from spikedeblur.recording.exposures import expose
from spikedeblur.restoration.inference import TiledModel
from spikedeblur.restoration.restorers import ClassicalRestorer, NetRestorer
from spikedeblur.restoration.selection import Selection
from tests.networks import Network
from tests.recordings import frame_at


@Network
def mixing(rgb, voxels, target_time):
    """A model whose every frame depends on its place in the window and on all others in it."""
    positions = torch.arange(1.0, 1 + rgb.shape[1]).reshape(1, -1, 1, 1, 1)
    return rgb * 0.5 + (rgb * positions).sum(1, keepdim=True) / positions.sum() * positions / 20


def restored(restorer, selection, frames):
    """Place -> pictures of the wanted frames, and how many frames were needed for them."""
    exposed = [
        expose(each.frame, None, each.sequence, each.wanted) for each in selection.of(frames)
    ]
    return {
        each.exposed.frame.index: each.pictures
        for each in restorer.restore(exposed)
        if each.exposed.wanted
    }, len(exposed)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 14), min_size=1, max_size=4),
    st.integers(1, 6),
    st.integers(1, 9),
    st.data(),
)
def test_some_segments_come_out_as_from_the_whole(shots, window, length, data):
    stride = data.draw(st.integers(1, window))
    count = sum(shots)
    starts = np.repeat(np.cumsum([0, *shots[:-1]]), shots)
    rng = np.random.default_rng(count)
    frames = [
        (frame_at(place, rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)), int(shot))
        for place, shot in enumerate(starts)
    ]
    numbers = data.draw(st.sets(st.integers(0, count // length + 2)))
    segments = [range(number * length, (number + 1) * length) for number in sorted(numbers)]
    restorer = NetRestorer(TiledModel(mixing, tile=32), window=window, stride=stride)
    whole, _ = restored(restorer, Selection([WHOLE], restorer.context), frames)
    selection = Selection(segments, restorer.context)
    part, needed = restored(restorer, selection, frames)
    assert sorted(part) == [place for place in range(count) if place // length in numbers]
    for place, pictures in part.items():
        np.testing.assert_array_equal(pictures, whole[place])
    assert needed <= len(part) + len(segments) * (len(shots) + 1) * (2 * window + stride)
    ends_within = bool(segments) and segments[-1].stop >= count
    assert selection.frames == count if ends_within else selection.frames in (None, count)


def test_reading_ends_with_the_last_segment():
    read = []

    def frames():
        for place in range(100):
            read.append(place)
            yield frame_at(place, np.zeros((2, 2, 3), np.uint8)), 0

    selection = Selection([range(4, 6), range(10, 12)], ClassicalRestorer("sdm").context)
    found = [(each.frame.index, each.sequence, each.wanted) for each in selection.of(frames())]
    assert found == [(4, 4, True), (5, 4, True), (10, 10, True), (11, 10, True)]
    assert len(read) == 13 and selection.frames is None
