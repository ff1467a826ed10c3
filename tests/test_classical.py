"""TFP, TFI and SDM on moving textures whose light is added linearly, as sensors do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from spikedeblur.classical import sdm, spike_rate, tfi, tfp
from spikedeblur.errors import UsageError
from spikedeblur.recording.light import linear_to_srgb, relative_luminance, srgb_to_linear
from spikedeblur.recording.resample import blur
from spikedeblur.recording.voxel import voxelize_ticks

TICKS = 400  # 20 ms at 20 kHz


@dataclass
class Scene:
    """A texture sliding over the frame: (96, 144) pixels, spikes at half the size."""

    speed: float  # pixels per exposure
    gain: float = 0.3  # spikes per tick of white
    seed: int = 0

    def __post_init__(self):
        generator = np.random.default_rng(self.seed)
        noise = generator.random((4, 110, 300), dtype=np.float32) - 0.5
        light = 0.4 + 4 * blur(noise[3], 6) + 2 * blur(noise[3], 1.5)
        colour = 1 + 4 * blur(noise[:3], 8)
        self.texture = np.moveaxis(np.clip(light * colour, 0.02, 1), 0, -1)

    def light(self, time):
        """Linear RGB (96, 144, 3) at `time` in [-0.5, 0.5] of the exposure."""
        x = 75 + self.speed * time
        left, part = int(np.floor(x)), np.float32(x - np.floor(x))
        view = self.texture[7:103]
        return view[:, left : left + 144] * (1 - part) + view[:, left + 1 : left + 145] * part

    def expose(self):
        """(blurry sRGB frame, spikes): mean light, and integrate-and-fire on its luminance."""
        total = np.zeros((96, 144, 3))
        charge = np.random.default_rng(self.seed + 1).random((48, 72))
        spikes = np.zeros((TICKS, 48, 72), dtype=bool)
        for n in range(TICKS):
            light = self.light((n + 0.5) / TICKS - 0.5)
            total += light
            charge += self.gain * relative_luminance(light).reshape(48, 2, 72, 2).mean(axis=(1, 3))
            spikes[n] = charge >= 1
            charge -= spikes[n]
        return linear_to_srgb(total / TICKS).astype(np.float32), spikes

    def sharp(self, time=0.0):
        return linear_to_srgb(self.light(time))


def psnr(image, reference):
    return -10 * np.log10(np.mean((image[4:-4, 4:-4] - reference[4:-4, 4:-4]) ** 2))


@pytest.fixture(scope="module")
def fast():
    scene = Scene(speed=30)
    return scene, *scene.expose()


@pytest.mark.parametrize("gain", [0.1, 0.3, 0.9])
def test_sdm_sharpens_fast_motion_at_any_gain(gain):
    scene = Scene(speed=30, gain=gain)
    blurry, spikes = scene.expose()
    restored = sdm(blurry, voxelize_ticks(spikes))
    assert restored.dtype == np.float32 and restored.shape == blurry.shape
    assert restored.min() >= 0 and restored.max() <= 1
    assert psnr(restored, scene.sharp()) > psnr(blurry, scene.sharp()) + 2


@pytest.mark.parametrize("gain", [0.005, 0.01, 0.1, 0.9])
def test_sdm_leaves_a_still_scene_alone(gain):
    blurry, spikes = Scene(speed=0, gain=gain).expose()
    assert psnr(sdm(blurry, voxelize_ticks(spikes)), blurry) > 40


def test_no_one_window_does_as_well_as_the_balance_of_noise_and_blur():
    windows = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, None)
    quality = []
    for speed, gain in ((4, 0.1), (30, 0.1), (30, 0.9)):
        scene = Scene(speed, gain)
        blurry, spikes = scene.expose()
        counts = voxelize_ticks(spikes)
        quality.append([psnr(sdm(blurry, counts, window=w), scene.sharp()) for w in windows])
    *fixed, balanced = np.mean(quality, axis=0)
    assert balanced > max(fixed) + 0.5
    assert (np.max(quality, axis=1) - np.array(quality)[:, -1]).max() < 1.5


@pytest.mark.parametrize("time", [-0.4, 0.4])
def test_the_target_chooses_the_instant(fast, time):
    scene, blurry, spikes = fast
    counts = voxelize_ticks(spikes)
    chosen = psnr(sdm(blurry, counts, target=time), scene.sharp(time))
    assert chosen > psnr(blurry, scene.sharp(time)) + 1.5
    assert chosen > psnr(sdm(blurry, counts, target=-time), scene.sharp(time)) + 3


def test_the_sensor_s_gain_cancels(fast):
    _, blurry, spikes = fast
    counts = voxelize_ticks(spikes)
    once, twice = (sdm(blurry, counts * n, window=0.25) for n in (20, 40))
    np.testing.assert_allclose(once, twice, atol=0.02)


def test_whole_exposure_and_no_spikes_change_nothing(fast):
    _, blurry, spikes = fast
    np.testing.assert_allclose(sdm(blurry, voxelize_ticks(spikes), window=1.0), blurry, atol=1e-4)
    np.testing.assert_allclose(sdm(blurry, voxelize_ticks(spikes & False)), blurry, atol=1e-5)


def test_where_the_sensor_saw_nothing_the_frame_stays(fast):
    _, blurry, spikes = fast
    counts = voxelize_ticks(spikes)
    counts[:, :, :40] = 0
    restored = sdm(blurry, counts)
    np.testing.assert_allclose(restored[:, :72], blurry[:, :72], atol=1e-4)
    assert np.abs(restored[:, 90:] - blurry[:, 90:]).max() > 0.05


@pytest.mark.parametrize("method", ["tfp", "tfi"])
def test_spikes_alone_show_the_instant_in_grey(fast, method):
    scene, blurry, spikes = fast
    counts = voxelize_ticks(spikes)
    image = tfp(blurry, counts) if method == "tfp" else tfi(blurry, spikes, TICKS // 2)
    assert image.shape == blurry.shape and image.dtype == np.float32
    assert (image == image[..., :1]).all()
    light = relative_luminance(srgb_to_linear(scene.sharp()))
    assert abs(srgb_to_linear(image[..., 0]).mean() / light.mean() - 1) < 0.03
    shown = np.corrcoef(srgb_to_linear(image[..., 0]).ravel(), light.ravel())[0, 1]
    blurred = np.corrcoef(relative_luminance(srgb_to_linear(blurry)).ravel(), light.ravel())[0, 1]
    assert shown > blurred + 0.05


def test_rate_of_a_steady_light_is_its_count():
    counts = np.full((32, 6, 6), 2.5, dtype=np.float32)
    np.testing.assert_allclose(spike_rate(counts, 0.2), 80, rtol=1e-5)


def test_intervals_of_a_regular_train():
    spikes = np.zeros((40, 1, 3), dtype=bool)
    spikes[3::10, 0, 0] = True  # every 10 ticks
    spikes[1::5, 0, 1] = True  # every 5 ticks
    grey = np.full((1, 3, 3), 0.3, dtype=np.float32)
    light = srgb_to_linear(tfi(grey, spikes, 20))[0, :, 0]
    np.testing.assert_allclose(light / light[0], [1, 2, 10 / 41], rtol=1e-3)


@pytest.mark.parametrize("wrong", [{"window": 0.0}, {"window": 1.5}, {"target": 0.6}])
def test_impossible_windows(fast, wrong):
    _, blurry, spikes = fast
    with pytest.raises(UsageError, match="no such window"):
        sdm(blurry, voxelize_ticks(spikes), **wrong)


def test_a_tick_outside_the_spikes(fast):
    _, blurry, spikes = fast
    with pytest.raises(UsageError, match="tick outside"):
        tfi(blurry, spikes, TICKS)
