"""Blur is the mean of instants in linear light; the video camera's losses, one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spikedeblur.recording.light import linear_to_srgb, srgb_to_linear
from spikedeblur.simulation.camera import (
    SensorProjection,
    VideoCamera,
    area_weights,
    as_srgb,
    halve_chroma,
    integrate_exposure,
    quantise_blocks,
)
from spikedeblur.simulation.motion import PlaneMotion
from spikedeblur.simulation.scene import Layer, Scene

GREY = torch.tensor([0.2, 0.5, 0.3])


def panned_scene(texture, speed, size=(16, 24)):
    motion = PlaneMotion(
        np.array([speed, 0, 0, 0, 0, 0.0]),
        np.zeros((1, 6)),
        np.ones(1),
        np.zeros((1, 6)),
        50.0,
        0.0,
    )
    height, width = texture.shape[1:]
    return Scene((Layer(texture, (-width / 2, -height / 2), 1.0, motion),), size)


def plane(size=(16, 24), spikes=(8, 12)):
    return SensorProjection(
        GREY, area_weights(spikes[0], size[0]), area_weights(spikes[1], size[1])
    )


def test_a_panned_edge_becomes_a_ramp_in_linear_light():
    """A step from 0 to 1 that moves 8 pixels in the exposure: light rises by 1/8 per pixel."""
    texture = torch.zeros(3, 16, 64)
    texture[:, :, 32:] = 1
    seen = integrate_exposure(panned_scene(texture, 8.0), -0.5, 0.5, 0.0, 64, plane())
    ramp = (np.arange(24) + 0.5 - 12 + 4).clip(0, 8) / 8
    np.testing.assert_allclose(seen.mean[0, 5].numpy(), ramp, atol=1e-3)
    np.testing.assert_allclose(
        as_srgb(seen.mean, False)[0, 5].numpy(), linear_to_srgb(ramp), atol=5e-3
    )


def test_blur_is_the_mean_of_the_sharp_instants_and_so_are_the_spikes():
    texture = torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(2))
    scene = panned_scene(texture, 5.0)
    seen = integrate_exposure(scene, 0.1, 0.9, 0.3, 16, plane())
    times = 0.1 + 0.8 * (np.arange(16) + 0.5) / 16
    one_by_one = torch.cat([scene.render(np.array([time])) for time in times])
    torch.testing.assert_close(seen.mean, one_by_one.mean(0))
    torch.testing.assert_close(seen.instant, scene.render(np.array([0.3]))[0])
    grey = (one_by_one * GREY[:, None, None]).sum(1)
    torch.testing.assert_close(seen.grey, F.avg_pool2d(grey[:, None], 2)[:, 0])
    torch.testing.assert_close(seen.grey.mean(0), plane().project(seen.mean[None])[0])


def test_large_frames_are_exposed_in_groups_with_the_same_result(monkeypatch):
    texture = torch.rand(3, 40, 60, generator=torch.Generator().manual_seed(3))
    whole = integrate_exposure(panned_scene(texture, 5.0), 0.0, 1.0, 0.5, 10, plane())
    monkeypatch.setattr("spikedeblur.simulation.camera.GROUP_PIXELS", 3 * 16 * 24)
    parts = integrate_exposure(panned_scene(texture, 5.0), 0.0, 1.0, 0.5, 10, plane())
    for one, other in zip(vars(whole).values(), vars(parts).values(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("outputs", "inputs"), [(8, 8), (8, 16), (5, 20), (7, 16), (25, 64)])
def test_areas_average_exactly(outputs, inputs):
    row = torch.rand(inputs, generator=torch.Generator().manual_seed(4))
    fine = row.repeat_interleave(outputs).view(outputs, inputs).mean(1)
    torch.testing.assert_close(area_weights(outputs, inputs) @ row, fine)


def test_a_shifted_sensor_sees_the_shifted_picture():
    row = torch.rand(20, generator=torch.Generator().manual_seed(5))
    half = area_weights(10, 20, 0.5) @ row
    expected = (row[0:-2:2] / 2 + row[1:-1:2] + row[2::2] / 2) / 2
    torch.testing.assert_close(half[:9], expected)
    assert torch.isfinite(half).all()
    torch.testing.assert_close(area_weights(20, 20, -1.0)[1:] @ row, row[:-1])


def test_a_perfect_camera_only_rounds():
    light = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(6))
    picture = VideoCamera().develop(light, False, np.random.default_rng(0))
    levels = picture.double() * 255
    assert picture.dtype == torch.float32
    assert (levels - levels.round()).abs().max() < 1e-4
    exact = linear_to_srgb(light.double().numpy())
    assert np.abs(picture.numpy() - exact).max() <= 0.5 / 255 + 1e-6
    gamma = VideoCamera().develop(light, True, np.random.default_rng(0))
    assert (gamma - light).abs().max() <= 0.5 / 255 + 1e-5


def test_noise_has_the_variance_asked_for():
    for level in (0.5, 0.6, 0.8):
        light = torch.full((1, 3, 200, 200), level)
        picture = VideoCamera(shot=1e-3, read=0.01).develop(light, True, np.random.default_rng(1))
        linear = srgb_to_linear(picture.double().numpy())
        assert linear.mean() == pytest.approx(float(srgb_to_linear(np.float64(level))), abs=2e-3)
        variance = 1e-3 * float(srgb_to_linear(np.float64(level))) + 1e-4
        assert linear.var() == pytest.approx(variance, rel=0.15)


def test_halved_chroma_keeps_brightness_and_grey():
    picture = np.random.default_rng(2).random((1, 3, 7, 9)).astype(np.float32)
    halved = halve_chroma(picture)
    luma = np.array([0.299, 0.587, 0.114]) @ picture.reshape(3, -1)
    np.testing.assert_allclose(
        np.array([0.299, 0.587, 0.114]) @ halved.reshape(3, -1), luma, atol=1e-5
    )
    chroma = halved - luma.reshape(1, 1, 7, 9)
    np.testing.assert_allclose(chroma[..., 0:6:2, 0:8:2], chroma[..., 1:6:2, 1:8:2], atol=1e-5)
    grey = np.repeat(picture[:, :1], 3, axis=1)
    np.testing.assert_allclose(halve_chroma(grey), grey, atol=1e-6)


def test_quantised_blocks_come_close_and_closer_with_finer_steps():
    picture = np.random.default_rng(3).random((2, 3, 13, 18)).astype(np.float32)
    errors = [np.abs(quantise_blocks(picture, step) - picture).max() for step in (1e-5, 0.01, 0.1)]
    assert errors[0] < 1e-3 < errors[1] < errors[2] < 1
    flat = np.full((1, 3, 8, 8), 0.5, np.float32)
    np.testing.assert_allclose(quantise_blocks(flat, 0.01), flat, atol=0.005)
