"""The method `joint` over a video: neighbours within a shot, whatever is given of it at once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.classical import joint
from spikedeblur.recording.exposures import ExposedFrame
from spikedeblur.recording.voxel import voxelize_ticks
from spikedeblur.restoration.joint import JointRestorer
from tests.recordings import frame_at
from tests.rigs import RIGS, psnr, recorded

SIDE, BINS, STEP = 48, 32, 8  # pixels, bins, pixels a frame


def sliding(index: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """A blurry frame (SIDE, SIDE, 3) of a wall that slides by, and counts at half its size."""
    noise = np.random.default_rng(seed).random((SIDE, SIDE + 200))
    wall = np.clip((noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) / 2 - 0.3, 0.05, 1)
    starts = index * STEP + np.linspace(0, STEP, BINS, endpoint=False).round().astype(int)
    views = np.stack([wall[:, start : start + SIDE] for start in starts])
    counts = views.reshape(BINS, SIDE // 2, 2, SIDE // 2, 2).mean((2, 4)) * 6
    light = np.clip(views.mean(0), 0, 1)[..., None] * [1.0, 0.9, 0.8]
    return np.rint(255 * light ** (1 / 2.2)).astype(np.uint8), counts.astype(np.float32)


def exposed(index: int, shot: int = 0, coverage: int = 1, *, wanted: bool = True) -> ExposedFrame:
    rgb, counts = sliding(index)
    known = counts if coverage else None
    return ExposedFrame(
        frame_at(index, rgb), known, Fraction(coverage), sequence=shot, wanted=wanted
    )


def pictures(frames: list[ExposedFrame]) -> list[np.ndarray | None]:
    return [
        None if each.pictures is None else each.pictures[0]
        for each in JointRestorer().restore(frames)
    ]


@pytest.mark.parametrize("wanted", [range(0, 2), range(2, 3), range(3, 5), range(4, 6)])
def test_a_part_with_its_context_comes_out_as_from_the_whole(wanted):
    shots = [0, 0, 0, 3, 3, 3]
    whole = pictures([exposed(place, shot) for place, shot in enumerate(shots)])
    restorer = JointRestorer()
    needed = {
        place
        for place, shot in enumerate(shots)
        if shot < wanted.stop and place in restorer.context(wanted, shot)
    }
    assert len(needed) <= len(wanted) + 2
    part = pictures(
        [exposed(place, shots[place], wanted=place in wanted) for place in sorted(needed)]
    )
    for place, picture in zip(sorted(needed), part, strict=True):
        assert (picture is not None) == (place in wanted)
        if picture is not None:
            np.testing.assert_array_equal(picture, whole[place])


def test_neighbours_are_used_and_a_cut_ends_them():
    alone = pictures([exposed(3)])[0]
    among = pictures([exposed(2), exposed(3), exposed(4)])[1]
    apart = pictures([exposed(2, 2), exposed(3, 3), exposed(4, 4)])[1]
    assert not np.array_equal(alone, among)
    np.testing.assert_array_equal(alone, apart)


def test_a_frame_without_spikes_stays_and_serves_nobody():
    first, none, last = pictures([exposed(2), exposed(3, coverage=0), exposed(4)])
    assert none is None
    np.testing.assert_array_equal(first, pictures([exposed(2)])[0])
    np.testing.assert_array_equal(last, pictures([exposed(4)])[0])


def test_nothing_changes_where_the_sensor_did_not_look():
    rig = RIGS["part"]
    blurry, sharp, _, inner = recorded("part")
    counts = voxelize_ticks(rig.record()[2], BINS)
    frame = frame_at(0, np.rint(blurry * 255).astype(np.uint8))
    exposed = ExposedFrame(frame, counts, Fraction(1), rig.homography)
    [picture] = pictures([exposed])
    change = np.abs(picture - frame.rgb / np.float32(255)).max(-1)
    assert change[~inner].max() < 0.005
    assert psnr(picture, sharp, inner) > psnr(blurry, sharp, inner) + 4.5


@pytest.mark.parametrize("bins", [2, 7, 10, 16])
def test_any_number_of_bins_will_do(bins):
    rng = np.random.default_rng(bins)
    frame = rng.random((8, 12, 3)).astype(np.float32)
    picture = joint(frame, rng.poisson(2, (bins, 4, 6)).astype(np.float32), 0.25)
    assert picture.shape == frame.shape
    assert np.isfinite(picture).all()


def test_steps_are_told_inside_a_frame():
    """Reading and each picture, so that somebody sees that a slow frame goes on."""
    restorer, told = JointRestorer([-0.2, 0.2]), []
    restorer.on_step = lambda done, steps: told.append((done, steps))
    assert len(list(restorer.restore([exposed(2), exposed(3)]))) == 2
    assert sorted(told) == [(step, 3) for step in range(4) for _ in range(2)]
