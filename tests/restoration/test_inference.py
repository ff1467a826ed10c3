"""Tiles of the network: the same as the whole, also where memory or numbers fail."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from spikedeblur.errors import SpikedeblurError, UsageError
from spikedeblur.models.build import build_model
from spikedeblur.restoration import inference
from spikedeblur.restoration.inference import TiledModel
from spikedeblur.restoration.spike_planes import SpikePlanes, plane_step
from spikedeblur.restoration.tiling import Tile
from spikedeblur.training.config import load_config
from spikedeblur.vocabulary import SMALLEST_TILE
from tests.networks import Network

CPU = torch.device("cpu")


def video(height: int, width: int, frames: int = 2, dtype=np.uint8) -> np.ndarray:
    high = np.iinfo(dtype).max + 1
    return np.random.default_rng(0).integers(0, high, (frames, height, width, 3)).astype(dtype)


def spikes(
    height: int,
    width: int,
    frames: int = 2,
    bins: int = 4,
    homography: tuple[float, ...] | None = None,
) -> SpikePlanes:
    counts = np.random.default_rng(1).poisson(3, (frames, bins, height, width))
    return SpikePlanes(counts.astype(np.float32), homography)


def box_blur(planes: torch.Tensor) -> torch.Tensor:
    """5 x 5 mean with reflection: needs two pixels of surroundings."""
    flat = planes.flatten(0, 1)
    padded = functional.pad(flat, (2, 2, 2, 2), mode="replicate")
    return functional.avg_pool2d(padded, 5, stride=1).unflatten(0, planes.shape[:2])


def local(rgb, voxels, target_time):
    """Sees two pixels around each, and the spike plane enlarged to the tile."""
    out = box_blur(rgb)
    if voxels is not None:
        light = voxels.mean(2, keepdim=True).flatten(0, 1)
        light = functional.interpolate(light, rgb.shape[-2:], mode="nearest")
        out = out + light.unflatten(0, rgb.shape[:2]) / 10 + target_time
    return out


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 140), st.integers(1, 140))
def test_a_local_model_gives_the_same_tiled_and_whole(height, width):
    rgb = video(height, width)
    whole = TiledModel(Network(local), tile=256)(rgb, None)[0]
    tiled = TiledModel(Network(local), tile=48, overlap=16)(rgb, None)[0]
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


@pytest.mark.parametrize("spike_size", [(40, 60), (23, 37), (80, 120), (100, 150), (20, 30)])
def test_spike_planes_of_tiles_fit_together(spike_size):
    """Also the resampled spikes agree between tiles and whole, at any ratio of the two cameras."""
    rgb, planes = video(80, 120), spikes(*spike_size)
    whole = TiledModel(Network(local), tile=128)(rgb, planes, [0.0, 0.25])
    tiled = TiledModel(Network(local), tile=48, overlap=16)(rgb, planes, [0.0, 0.25])
    assert len(whole) == len(tiled) == 2
    for one, other in zip(whole, tiled, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)
    np.testing.assert_allclose(whole[1] - whole[0], 0.25, atol=1e-6)


def test_sixteen_bits_are_scaled_to_one():
    out = TiledModel(Network(lambda rgb, voxels, time: rgb))(
        np.full((1, 8, 8, 3), 65535, np.uint16), None
    )
    assert (out[0] == 1).all()


@pytest.mark.parametrize(
    ("frame", "sensor", "step"),
    [
        ((80, 120), (80, 120), 1),
        ((80, 120), (40, 60), 2),
        ((80, 120), (20, 30), 4),
        ((80, 120), (10, 15), 4),
        ((80, 120), (39, 60), 2),
        ((80, 120), (41, 60), 1),
        ((81, 120), (20, 30), 1),
        ((82, 120), (20, 30), 2),
    ],
)
def test_the_spike_plane_is_as_coarse_as_loses_nothing(frame, sensor, step):
    apart = min(frame[0] / sensor[0], frame[1] / sensor[1])
    assert plane_step(frame, apart, Tile(0, 0, *frame)) == step


def test_a_scale_that_was_measured_a_little_short_is_meant_whole():
    """Else all spikes were sampled twice as finely, and blurred by it."""
    counts = np.random.default_rng(0).random((1, 2, 24, 32), np.float32)
    for scale, size in ((2.0, (24, 32)), (1.9995, (24, 32)), (1.8, (48, 64))):
        shift = (scale - 1) / 2
        planes = SpikePlanes(counts, (scale, 0, shift, 0, scale, shift, 0, 0, 1))
        assert planes.on_frame((48, 64)).shape[2:] == size
    nearly = SpikePlanes(counts, (1.9995, 0, 0.5, 0, 1.9995, 0.5, 0, 0, 1)).on_frame((48, 64))
    np.testing.assert_allclose(nearly, counts, atol=0.01)


def test_plain_halving_hands_the_spikes_over_untouched():
    planes = spikes(16, 24)
    on_tile = planes.on_tile(Tile(0, 0, 32, 48), (32, 48), CPU)
    np.testing.assert_array_equal(on_tile.numpy(), planes.counts)


def test_where_the_sensor_did_not_look_there_are_no_spikes():
    """The spike plane covers the left half of the frame only, pixel on pixel."""
    planes = spikes(32, 32, homography=(1, 0, 0, 0, 1, 0, 0, 0, 1))
    on_tile = planes.on_tile(Tile(0, 0, 32, 64), (32, 64), CPU).numpy()
    np.testing.assert_allclose(on_tile[..., :28], planes.counts[..., :28], rtol=1e-6)
    assert not on_tile[..., 32:].any()
    changes = np.ptp(on_tile, axis=1).mean((0, 1))  # towards the border rates come to stand still
    assert (np.diff(changes[27:33]) < 0).all() and changes[31] < changes[:27].mean() / 4


class Hungry:
    """Needs more memory than there is for tiles above `limit` pixels."""

    def __init__(self, limit: int, error: type[Exception], text: str) -> None:
        self.limit, self.error, self.text = limit, error, text

    def __call__(self, rgb, voxels, target_time):
        if max(rgb.shape[-2:]) > self.limit:
            raise self.error(self.text)
        return local(rgb, voxels, target_time)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (torch.OutOfMemoryError, "CUDA out of memory"),
        (MemoryError, ""),
        (RuntimeError, "[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_out_of_memory_halves_the_tile_and_does_the_frames_again(error, text, caplog):
    rgb, planes = video(150, 200), spikes(75, 100)
    model = TiledModel(Network(Hungry(47, error, text)), tile=256)
    with caplog.at_level(logging.WARNING, "spikedeblur"):
        out = model(rgb, planes)
    assert model.tile == SMALLEST_TILE
    assert [record.getMessage().split(" - ")[1] for record in caplog.records] == [
        "going on with 96",
        "going on with 48",
        "going on with 32",
    ]
    np.testing.assert_array_equal(out[0], TiledModel(Network(local), tile=32)(rgb, planes)[0])


def test_no_tile_fits():
    model = TiledModel(Network(Hungry(8, MemoryError, "")), tile=256)
    with pytest.raises(SpikedeblurError, match=f"{SMALLEST_TILE} pixels"):
        model(video(100, 100), None)


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    with pytest.raises(RuntimeError, match="shapes differ"):
        TiledModel(Network(Hungry(8, RuntimeError, "shapes differ")), tile=64)(video(50, 50), None)


def not_finite_above(limit: float, even_in_fp32: bool):
    """Gives NaN for bright tiles, in half precision only unless `even_in_fp32`."""

    def model(rgb, voxels, target_time):
        if rgb.mean() > limit and (even_in_fp32 or torch.is_autocast_enabled("cpu")):
            return torch.full_like(rgb, float("nan"))
        return 1 - rgb

    return model


def test_a_tile_that_is_not_finite_is_done_again_in_fp32():
    rgb = video(20, 20)
    model = TiledModel(Network(not_finite_above(0, even_in_fp32=False)), precision="bf16")
    np.testing.assert_allclose(model(rgb, None)[0].transpose(0, 2, 3, 1), 1 - rgb / 255, atol=1e-6)
    assert model.not_finite == 0


def test_a_tile_that_stays_not_finite_is_left_blurry_and_counted():
    rgb = np.zeros((1, 32, 80, 3), np.uint8)
    rgb[:, :, 64:] = 200
    model = TiledModel(Network(not_finite_above(0.3, even_in_fp32=True)), tile=32, overlap=0)
    out = model(rgb, None)[0].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(out[:, :, :32], 1 - rgb[:, :, :32] / 255, atol=1e-6)
    np.testing.assert_allclose(out[:, :, 64:], rgb[:, :, 64:] / 255, atol=1e-6)
    assert model.not_finite == 1


def test_the_tile_is_chosen_by_free_memory(monkeypatch):
    model = TiledModel(Network(local))
    sides = []
    for free in (10**8, 10**10, 10**11, 10**13):
        monkeypatch.setattr(inference, "available_bytes", lambda free=free: free)
        sides.append(model.choose_tile(1080, 1920, 5))
        assert sides[-1] == SMALLEST_TILE or model.working_bytes(sides[-1], 5) <= free / 2
    assert sides == sorted(sides)
    assert sides[0] == SMALLEST_TILE and sides[-1] == 1920
    assert all(side % 64 == 0 for side in sides[1:])


def test_the_shipped_network_takes_common_frames_whole_on_a_laptop(monkeypatch):
    """5 frames of 640x360 took 0.7 GB; what is allowed for a square tile of 640 is some more."""
    monkeypatch.setattr(inference, "available_bytes", lambda: 6 * 10**9)
    model = TiledModel(build_model(load_config("small").network))
    assert model.choose_tile(360, 640, 5) == 640
    assert model.working_bytes(640, 5) > 1.5e9


@pytest.mark.parametrize("settings", [{"tile": 16}, {"tile": 64, "overlap": 40}, {"overlap": -1}])
def test_impossible_tiles_are_refused_at_once(settings):
    with pytest.raises(UsageError):
        TiledModel(Network(local), **settings)
