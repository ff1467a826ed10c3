"""Windows: every frame once, in order, with constant memory, however long the sequence."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedeblur.errors import UsageError
from spikedeblur.restoration.windows import WindowMerger, merge_weights, sliding_windows


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, int, int]:
    size = draw(st.integers(1, 8))
    return draw(st.integers(0, 40)), size, draw(st.integers(1, size))


def merged(count: int, size: int, stride: int, predict) -> list[np.ndarray]:
    merger = WindowMerger(size, stride)
    out = []
    for window in sliding_windows(range(count), size, stride):
        out += merger.add(window.start, window.length, predict(window))
    out += merger.finish()
    assert not merger._sums, "frames that were given out are still held"
    return out


@given(plans())
def test_windows_are_full_and_cover_every_frame(plan):
    count, size, stride = plan
    seen = set()
    for window in sliding_windows(range(count), size, stride):
        assert len(window.frames) == size
        assert window.frames[: window.length] == tuple(
            range(window.start, window.start + window.length)
        )
        assert set(window.frames[window.length :]) <= {count - 1}
        assert window.length == min(size, count)
        seen.update(window.frames)
    assert seen == set(range(count))


@given(plans(), st.integers(0, 3))
def test_beside_a_window_are_the_frames_next_to_it(plan, reach):
    count, size, stride = plan
    bare = list(sliding_windows(range(count), size, stride))
    for window, alone in zip(sliding_windows(range(count), size, stride, reach), bare, strict=True):
        assert (window.frames, window.start, window.length) == (
            alone.frames,
            alone.start,
            alone.length,
        )
        first, stop = window.start, window.start + window.length
        assert window.before == tuple(range(max(first - reach, 0), first))
        assert window.after == tuple(range(stop, min(stop + reach, count)))


@given(plans())
def test_merging_a_model_that_agrees_with_itself_gives_each_frame_once_in_order(plan):
    count, size, stride = plan
    out = merged(count, size, stride, lambda window: np.array(window.frames, np.float32)[:, None])
    np.testing.assert_allclose(np.ravel(out), np.arange(count), rtol=1e-6)


def test_shared_frames_are_averaged_in_favour_of_the_window_centre():
    """Windows of 5 with stride 3 share frames 3 and 4: weights 2 : 1 and 1 : 2 by hand."""
    out = merged(8, 5, 3, lambda window: np.full((5, 1), float(window.start > 0), np.float32))
    np.testing.assert_allclose(np.ravel(out), [0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1], rtol=1e-6)


def test_weights_are_symmetric_and_largest_in_the_middle():
    assert merge_weights(5).tolist() == [1, 2, 3, 2, 1]
    assert merge_weights(4).tolist() == [1, 2, 2, 1]


def test_last_window_does_not_rewrite_frames_that_were_given_out():
    """Stride 5 over 7 frames: the window moved back to frame 2 owns frames 5 and 6 only."""
    starts = []

    def predict(window):
        starts.append(window.start)
        return np.full((5, 1), window.start, np.float32)

    assert np.ravel(merged(7, 5, 5, predict)).tolist() == [0, 0, 0, 0, 0, 2, 2]
    assert starts == [0, 2]


@pytest.mark.parametrize(("size", "stride"), [(0, 1), (5, 0), (5, 6), (5, -1)])
def test_impossible_windows_are_refused(size, stride):
    with pytest.raises(UsageError):
        list(sliding_windows(range(9), size, stride))


def test_at_most_a_window_of_frames_is_alive():
    class Frame:
        pass

    alive: weakref.WeakSet[Frame] = weakref.WeakSet()

    def source() -> Iterator[Frame]:
        for _ in range(50):
            frame = Frame()
            alive.add(frame)
            yield frame
            del frame

    most = 0
    for window in sliding_windows(source(), 5, 3):
        del window
        most = max(most, len(alive))
    assert most <= 5 + 1
