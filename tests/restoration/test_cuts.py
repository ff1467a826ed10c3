"""Cuts: found where two shots meet, and nowhere else, whatever moves, flashes or fades."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.restoration.cuts import in_shots, step, thumbnail

SIZE = 72, 128


def landscape(seed: int, width: int = 1200) -> np.ndarray:
    """A wide picture with structure of every size, (72, width, 3) in [0, 1]."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((SIZE[0], width, 3))
    for cell in (2, 6, 18, 54):
        coarse = rng.random((SIZE[0] // cell + 1, width // cell + 1, 3))
        picture += cell**0.5 * coarse.repeat(cell, 0).repeat(cell, 1)[: SIZE[0], :width]
    low, high = picture.min(), picture.max()
    return (picture - low) / (high - low)


def view(seed: int, left: float = 0, gain: float = 1.0, dtype=np.uint8) -> np.ndarray:
    """What a camera sees that looks at a landscape from `left` pixels on."""
    part = landscape(seed)[:, int(left) : int(left) + SIZE[1]]
    return np.rint(np.clip(part * gain, 0, 1) * np.iinfo(dtype).max).astype(dtype)


def lengths(pictures: list[np.ndarray]) -> list[int]:
    """Frames of each shot; every frame must come out once, in order."""
    found = list(in_shots(range(len(pictures)), pictures.__getitem__))
    assert [frame for frame, _ in found] == list(range(len(pictures)))
    starts = [start for _, start in found]
    assert all(start == starts[start] for start in starts)
    return [starts.count(start) for start in sorted(set(starts))]


def noisy(picture: np.ndarray, seed: int, sigma: float = 8.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(2, 9), min_size=1, max_size=5), st.integers(0, 100))
def test_shots_of_any_length_are_told_apart(sizes, seed):
    """Also on a moving camera and with noise; one frame is enough for the last shot."""
    pictures = [
        noisy(view(seed + number, 3 * at), at)
        for number, size in enumerate(sizes)
        for at in range(size)
    ]
    assert lengths(pictures) == sizes


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("sizes", [[1, 4], [4, 1], [2, 2, 2], [7]])
def test_cuts_close_to_the_ends(sizes, dtype):
    pictures = [view(number, dtype=dtype) for number, size in enumerate(sizes) for _ in range(size)]
    assert lengths(pictures) == sizes


def test_cuts_between_flat_pictures():
    flat = [np.full((*SIZE, 3), value, np.uint8) for value in (0, 0, 0, 200, 200, 200)]
    assert lengths(flat) == [3, 3]
    titles = [*flat[:3], *[view(3)] * 3]
    assert lengths(titles) == [3, 3]


def test_a_cut_in_fast_motion():
    pictures = [view(seed, 10 * at) for seed in (5, 6) for at in range(6)]
    assert lengths(pictures) == [6, 6]


def test_motion_before_a_cut_does_not_hide_the_next_one():
    moving = [view(5, 12 * at) for at in range(6)]
    still, other = view(6).astype(float), view(7).astype(float)
    related = (0.4 * still + 0.6 * other).astype(np.uint8)
    pictures = [*moving, *[view(6)] * 2, *[related] * 3]
    steps = [step(thumbnail(one), thumbnail(two)) for one, two in pairwise(pictures)]
    assert max(steps[:5]) * 2 > steps[7] > 0.5  # the second cut stands out from its shot only
    assert lengths(pictures) == [6, 2, 3]


@pytest.mark.parametrize("speed", [0, 4, 16, 40, 90])
def test_a_pan_is_no_cut_at_any_speed(speed):
    """Up to 70 % of the width in a frame: successive pictures hardly share anything then."""
    assert lengths([view(1, speed * at) for at in range(10)]) == [10]


def test_a_whip_pan_from_rest_to_rest_is_no_cut():
    way = 300 * (1 - np.cos(np.linspace(0, np.pi, 9)))
    assert lengths([view(2, left) for left in (0, 0, 0, *way, 600, 600)]) == [14]


def test_a_shaking_camera_is_no_cut():
    places = np.random.default_rng(0).uniform(0, 60, 20)
    assert lengths([view(3, left) for left in places]) == [20]


@pytest.mark.parametrize("gain", [1.5, 4.0, 100.0])
def test_a_flash_is_no_cut(gain):
    """Also one so bright that nothing of the scene is left in it."""
    assert lengths([view(4, 2 * at, gain if at == 5 else 1.0) for at in range(10)]) == [10]


def test_a_flash_seen_by_a_rolling_shutter_is_no_cut():
    pictures = [view(5) for _ in range(10)]
    pictures[4][30:] = 255
    pictures[5][:30] = 255
    assert lengths(pictures) == [10]


@pytest.mark.parametrize("frames", [6, 12, 25])
def test_fades_and_dissolves_are_no_cuts(frames):
    shares = np.linspace(0, 1, frames)
    one, other = view(6).astype(float), view(7).astype(float)
    for end in (other, np.zeros_like(one), np.full_like(one, 255)):
        mixed = [np.rint((1 - share) * one + share * end).astype(np.uint8) for share in shares]
        assert lengths([*[mixed[0]] * 3, *mixed, *[mixed[-1]] * 3]) == [frames + 6]


def test_light_switched_on_is_no_cut():
    assert lengths([view(8, gain=0.3 if at < 5 else 1.0) for at in range(10)]) == [10]


def test_noise_in_the_dark_is_no_cut():
    rng = np.random.default_rng(0)
    assert lengths([rng.integers(0, 9, (*SIZE, 3)).astype(np.uint8) for _ in range(12)]) == [12]


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 40), (17, 31), (18, 32), (19, 33), (360, 640), (1081, 1920)]
)
def test_thumbnails_are_means_of_the_picture(size):
    ramp = np.linspace(0, 65535, size[1]).astype(np.uint16)
    cells = min(size[0], 18), min(size[1], 32)
    small = thumbnail(np.broadcast_to(ramp[None, :, None], (*size, 3))).reshape(*cells, 3)
    expected = (np.arange(cells[1]) + 0.5) / cells[1]
    if size[1] % 32 == 0:
        np.testing.assert_allclose(small[0, :, 1], expected, atol=0.02)
    assert np.ptp(small, axis=0).max() < 1e-6


def test_the_step_measures_what_two_pictures_share():
    """By hand: equal 0, unrelated 1, opposite 2."""
    wave = np.sin(2 * np.pi * np.arange(32) / 32)[None, :, None] * np.ones((18, 1, 3)) / 4 + 0.5
    wave, shifted = (each.reshape(-1, 3) for each in (wave, np.roll(wave, 8, axis=1)))
    assert step(wave, wave) == pytest.approx(0, abs=1e-6)
    assert step(wave, 0.5 * wave + 0.1) == pytest.approx(0, abs=0.01)
    assert step(wave, shifted) == pytest.approx(1, abs=0.01)
    assert step(wave, 1 - wave) == pytest.approx(2, abs=0.01)


def test_no_frames_no_shots():
    assert list(in_shots([], lambda frame: frame)) == []
