"""Rigs: spikes laid on the frame by a homography, a crop or a scale, against the true picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spikedeblur.classical import sdm
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import read_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream, write_dat
from spikedeblur.io.video import open_video
from spikedeblur.models.checkpoint import load_model
from spikedeblur.recording.exposures import Exposures, StreamExposures, expose
from spikedeblur.recording.geometry import (
    open_sides,
    pixels_per_spike,
    spike_to_video,
    tile_coverage,
    tile_to_spike,
)
from spikedeblur.recording.opening import open_exposures
from spikedeblur.recording.resample import blur
from spikedeblur.recording.voxel import voxelize_ticks
from spikedeblur.restoration.inference import TiledModel
from spikedeblur.restoration.restorers import ClassicalRestorer
from spikedeblur.restoration.spike_planes import SpikePlanes
from spikedeblur.restoration.tiling import Tile
from tests.rigs import RIGS, VIDEO, psnr, recorded, sampled, turned


@pytest.mark.parametrize(
    ("name", "gain"),
    [("plain", 3.0), ("turned", 2.5), ("perspective", 2.5), ("part", 3.0), ("larger", 5.0)],
)
def test_every_rig_restores_what_it_covers_and_leaves_the_rest(name, gain):
    blurry, sharp, planes, covered = recorded(name)
    restored = sdm(blurry.astype(np.float32), planes.on_frame(VIDEO)[0])
    assert psnr(restored, sharp, covered) > psnr(blurry, sharp, covered) + gain
    if not covered.all():
        assert abs(psnr(restored, sharp, ~covered) - psnr(blurry, sharp, ~covered)) < 0.4


def test_a_wrong_homography_is_worse():
    blurry, sharp, planes, covered = recorded("turned")
    unturned = replace(planes, homography=None)
    assert (
        psnr(sdm(blurry.astype(np.float32), planes.on_frame(VIDEO)[0]), sharp, covered)
        > psnr(sdm(blurry.astype(np.float32), unturned.on_frame(VIDEO)[0]), sharp, covered) + 1
    )


def test_the_network_too_restores_what_is_covered():
    blurry, sharp, planes, covered = recorded("part")
    rig = RIGS["part"]
    planes = SpikePlanes(voxelize_ticks(rig.record()[2], 32)[None], rig.homography)
    rgb = np.rint(blurry * 255).astype(np.uint8)[None]
    net = load_model()
    whole, tiled = (
        TiledModel(net, tile=side, overlap=16)(rgb, planes)[0][0].transpose(1, 2, 0)
        for side in (128, 96)
    )
    assert psnr(whole, sharp, covered) > psnr(blurry, sharp, covered) + 3
    assert abs(psnr(whole, sharp, ~covered) - psnr(blurry, sharp, ~covered)) < 0.4
    assert abs(psnr(tiled, sharp, covered) - psnr(whole, sharp, covered)) < 0.2


@pytest.mark.parametrize("name", ["turned", "perspective", "part"])
def test_one_resampling_agrees_with_sampling_at_the_same_points(name):
    """Of planes that straight lines between pixels tell as well as curves do."""
    _, _, planes, _ = recorded(name)
    smooth = np.stack([blur(plane, 8.0) for plane in planes.counts[0].astype(np.float32)])
    planes = replace(planes, counts=smooth[None])
    size = planes.counts.shape[:-3:-1]
    matrix = spike_to_video(size, VIDEO[::-1], planes.homography)
    found = planes.on_frame(VIDEO)[0]
    step = VIDEO[0] // found.shape[1]
    to_spike = tile_to_spike(matrix, 0, 0, step)
    x, y = np.meshgrid(np.arange(found.shape[2]) + 0.5, np.arange(found.shape[1]) + 0.5)
    u, v, depth = np.einsum("ij,jhw->ihw", to_spike, np.stack([x, y, np.ones_like(x)]))
    wanted = np.stack([sampled(plane, u / depth, v / depth) for plane in planes.counts[0]])
    inner = tile_coverage(
        np.array([[1, 0, -4], [0, 1, -4], [0, 0, 1.0]]) @ to_spike,
        found.shape[1:],
        (size[0] - 8, size[1] - 8),
    )
    assert inner.mean() > 0.2
    np.testing.assert_allclose(found[:, inner], wanted[:, inner], atol=0.01)


@pytest.mark.parametrize("name", RIGS)
def test_tiles_agree_with_the_whole(name):
    _, _, planes, _ = recorded(name)
    whole = planes.on_frame(VIDEO)
    step = VIDEO[0] // whole.shape[2]
    for y, x in ((0, 0), (32, 64), (64, 96)):
        tile = planes.on_tile(Tile(y, x, 32, 32), VIDEO, torch.device("cpu")).numpy()
        part = whole[..., y // step : (y + 32) // step, x // step : (x + 32) // step]
        np.testing.assert_allclose(tile, part, atol=1e-3)


def test_plain_scaling_written_as_a_homography_is_plain_scaling():
    _, _, planes, _ = recorded("plain")
    np.testing.assert_allclose(planes.on_frame(VIDEO), planes.counts, atol=1e-5)
    negated = replace(planes, homography=tuple(-each for each in planes.homography))
    np.testing.assert_allclose(negated.on_frame(VIDEO), planes.counts, atol=1e-5)


def test_a_finer_sensor_loses_no_spikes():
    counts = np.zeros((1, 1, 240, 320), np.float32)
    counts[..., ::2] = 1  # stripes of one pixel, of which sampling at points sees all or nothing
    found = SpikePlanes(counts, RIGS["larger"].homography).on_frame(VIDEO)
    assert found.shape[2:] == VIDEO
    np.testing.assert_allclose(found[..., 8:-8, 8:-8], 0.5, atol=0.01)


def test_sides_beyond_which_the_frame_goes_on():
    assert open_sides(np.diag([0.5, 0.5, 1]), (64, 48), (128, 96)) == (False,) * 4
    shifted = spike_to_video((64, 48), (128, 96), [2, 0, 10, 0, 2, -10, 0, 0, 1])
    assert open_sides(np.linalg.inv(shifted), (64, 48), (128, 96)) == (True, False, False, True)


def test_pixels_per_spike_is_the_scale():
    for degrees, scale in ((0, 2.0), (30, 0.5), (-5, 1.3)):
        matrix = turned(degrees, scale, (3, 4), (50, 70), VIDEO)
        assert pixels_per_spike(matrix, (70, 50)) == pytest.approx(scale)
    assert pixels_per_spike(np.diag([3.0, 2.0, 1.0]), (4, 4)) == pytest.approx(2)


@pytest.mark.parametrize(
    "said",
    [
        {"scale": (2.0, 2.0)},
        {"crop": (3, 2, 24, 16)},
        {"homography": (2, 0, -5.5, 0, 2, -3.5, 0, 0, 1)},
        {"homography": (2, 0, -5.5, 0, 2, -3.5, 0, 0, 1), "crop": (3, 2, 24, 16)},
    ],
    ids=["scale", "crop", "homography", "both"],
)
@pytest.mark.parametrize("method", ["sdm", "tfp", "tfi"])
def test_the_sidecar_lays_a_larger_sensor_on_the_frame(recording, tmp_path, said, method):
    """The recording's spikes within a wider plane of noise come out as they do alone."""
    known = read_sidecar(recording.spikes.with_suffix(".toml"))
    with SpikeStream.open(
        recording.spikes, width=known.width, height=known.height, rate_hz=known.rate_hz
    ) as stream:
        spikes = stream[:]
    if "crop" in said or "homography" in said:
        wide = np.random.default_rng(0).random((len(spikes), 21, 30)) < 0.5
        wide[:, 2:18, 3:27] = spikes
        spikes = wide
    write_dat(tmp_path / "s.dat", [spikes])
    rig = RecordingSettings(
        width=spikes.shape[2], height=spikes.shape[1], rate_hz=known.rate_hz, **said
    )
    source = resolve_spike_source(tmp_path / "s.dat", RecordingSettings(), rig)

    with open_video(recording.blurry) as reader:
        frame = next(iter(reader))

    def restored(exposures: Exposures) -> np.ndarray:
        [result] = ClassicalRestorer(method).restore([expose(frame, exposures)])
        return result.pictures[0]

    laid = StreamExposures.of_source(source, bins=16, video_size=(48, 32))
    alone = open_exposures(
        recording.spikes,
        RecordingSettings(),
        bins=16,
        interval_s=frame.span[1],
        first_pts_s=frame.span[0],
        duration_s=None,
    )
    inner = np.s_[4:-4, 4:-4] if "homography" in said and "crop" not in said else np.s_[:]
    np.testing.assert_allclose(restored(laid)[inner], restored(alone)[inner], atol=0.02)
