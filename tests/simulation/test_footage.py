"""Sharp video between its frames: motion found and followed, frames held only while needed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikedeblur.recording.light import srgb_to_linear
from spikedeblur.simulation.footage import InterpolatedVideo, motion_between, warp_by_flow
from tests.training.pictures import noise_photo


def smooth_picture(seed, size=(96, 128)):
    picture = torch.from_numpy(noise_photo(seed, *size).astype(np.float32) / 255).permute(2, 0, 1)
    return torch.nn.functional.avg_pool2d(picture[None], 3, 1, 1)


def panned_frames(count, speed):
    """A window moving over a picture by `speed` whole pixels a frame, as uint8 frames."""
    picture = noise_photo(3, 80, 100 + speed * count)
    picture = np.round(np.stack([np.roll(picture, shift, 1) for shift in (-1, 0, 1)]).mean(0))
    return [picture[:, speed * n : speed * n + 100].astype(np.uint8) for n in range(count)]


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -2.0), (-9.5, 6.0)])
def test_a_known_motion_is_found(shift):
    second = smooth_picture(1).mean(1, keepdim=True)
    flow = torch.tensor(shift)[None, :, None, None].expand(1, 2, 96, 128)
    first = warp_by_flow(second, flow)
    found = motion_between(first, second)[..., 20:-20, 20:-20]
    assert (found - flow[..., 20:-20, 20:-20]).abs().mean() < 0.15


def test_source_frames_are_seen_unchanged_at_their_times():
    frames = panned_frames(5, 2)
    footage = InterpolatedVideo(iter(frames), 2.0, (80, 100))
    for number in footage.frame_numbers(None):
        seen = footage.render(np.array([number, number + 0.5]))
        for place, view in enumerate(seen[: 1 if number == 2 else 2]):
            light = srgb_to_linear(frames[2 * number + place] / 255.0)
            np.testing.assert_allclose(view.permute(1, 2, 0).numpy(), light, atol=1e-4)


def test_between_frames_things_have_moved_half_way():
    frames = panned_frames(5, 4)
    footage = InterpolatedVideo(iter(frames[::2]), 1.0, (80, 100))
    next(footage.frame_numbers(None))
    inside = (slice(20, -20), slice(20, -20))
    seen = footage.render(np.array([0.5]))[0].permute(1, 2, 0).numpy()[inside]
    truth = srgb_to_linear(frames[1] / 255.0)[inside]
    mixed = srgb_to_linear(np.stack([frames[0], frames[2]]) / 255.0).mean(0)[inside]
    assert np.square(seen - truth).mean() < 0.1 * np.square(mixed - truth).mean()
    assert footage.slide(np.array([0.0]), np.array([0.5]))[0] == pytest.approx(4, abs=0.5)


@pytest.mark.parametrize(
    ("source", "per_interval", "limit", "frames"),
    [
        (16, 8.0, None, 2),
        (15, 8.0, None, 1),
        (16, 8.0, 1, 1),
        (7, 8.0, None, 0),
        (3, 0.5, None, 6),
        (10, 2.5, None, 4),
    ],
)
def test_it_lasts_as_long_as_the_source(source, per_interval, limit, frames):
    footage = InterpolatedVideo(iter(panned_frames(source, 1)), per_interval, (20, 25))
    assert list(footage.frame_numbers(limit)) == list(range(frames))


def test_only_the_present_frame_is_held():
    footage = InterpolatedVideo(iter(panned_frames(20, 1)), 4.0, (20, 25))
    for number in footage.frame_numbers(None):
        footage.render(number + np.linspace(0, 0.99, 9))
        assert len(footage._held) <= 7 and len(footage._motion) <= 5


def test_another_shape_is_cut_about_the_middle():
    frame = noise_photo(5, 40, 100)
    footage = InterpolatedVideo(iter([frame]), 1.0, (20, 20))
    next(footage.frame_numbers(None))
    light = srgb_to_linear(frame[:, 30:70] / 255.0)
    halved = light.reshape(20, 2, 20, 2, 3).mean(axis=(1, 3))
    seen = footage.render(np.array([0.0]))[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(seen, halved, atol=1e-4)
