"""Clips are functions of (seed, epoch, index), and what they are said to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from spikedeblur.errors import InputError, UsageError
from spikedeblur.recording.light import srgb_to_linear
from spikedeblur.simulation.clips import Conditions, random_clip
from spikedeblur.simulation.photos import PhotoLibrary
from spikedeblur.training.config import load_config
from spikedeblur.training.data.datasets import PhotoClips, held_out, training_and_validation
from spikedeblur.training.data.randomness import stream
from tests.training.pictures import photo_folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photo_folder(tmp_path_factory.mktemp("photos"))


def clips(photos, **options):
    return PhotoClips(
        photos, **{"crop": 32, "clip_len": 3, "bins": 8, "seed": 1, "length": 50, **options}
    )


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_a_clip_has_the_shapes_and_ranges_promised(photos):
    source = clips(photos)
    assert len(source) == 50
    for index in range(12):
        clip = source[index]
        rows, columns = clip["voxels"].shape[2:]
        assert clip["blurry"].shape == clip["sharp"].shape == (3, 3, 32, 32)
        assert clip["voxels"].shape == (3, 8, rows, columns)
        assert all(value.dtype == torch.float32 for value in clip.values())
        assert clip["blurry"].min() >= 0 and clip["blurry"].max() <= 1
        assert clip["sharp"].min() >= 0 and clip["sharp"].max() <= 1
        levels = clip["blurry"].double() * 255
        assert (levels - levels.round()).abs().max() < 1e-4
        assert clip["voxels"].min() >= 0
        assert clip["target_time"].shape == () and abs(clip["target_time"]) <= 0.5
    with pytest.raises(IndexError):
        source[50]


def test_a_clip_is_a_function_of_seed_epoch_and_index(photos):
    one, other = clips(photos), clips(photos)
    assert same(one[7], other[7])
    other[3], other[9]
    assert same(one[7], other[7])
    assert not same(one[7], one[8])
    assert not torch.equal(one[7]["blurry"], clips(photos, seed=2)[7]["blurry"])
    first = one[7]
    one.set_epoch(1)
    assert not torch.equal(first["blurry"], one[7]["blurry"])
    one.set_epoch(0)
    assert same(first, one[7])


def test_worker_processes_make_the_same_clips(photos):
    source = clips(photos, length=4, group=2)
    for number, batch in enumerate(DataLoader(source, batch_size=2, num_workers=2)):
        for place in range(2):
            expected = source[2 * number + place]
            assert same(expected, {key: value[place] for key, value in batch.items()})


def test_clips_of_a_group_share_the_spike_size(photos):
    source = clips(photos, group=4, length=400)
    ratios = [source.ratio(index) for index in range(400)]
    assert all(len(set(ratios[start : start + 4])) == 1 for start in range(0, 400, 4))
    assert set(ratios) == set(Conditions().ratios)
    assert ratios.count(0.5) > 160


def test_spikes_that_tell_nothing_come_with_the_blurry_picture_as_target(photos):
    still_spikes = 0
    for index in range(12):
        good = clips(photos, bad_spikes=0.0)[index]
        bad = clips(photos, bad_spikes=1.0)[index]
        clean = clips(photos).clip(index).clean
        assert torch.equal(good["blurry"], bad["blurry"])
        assert torch.equal(bad["sharp"], clean)
        assert bad["voxels"].shape == good["voxels"].shape
        assert not torch.equal(bad["voxels"], good["voxels"])
        still_spikes += int((bad["voxels"] == 0).all())
    assert 2 <= still_spikes <= 10


QUIET = {"noise": (0.0, 0.0), "compressed": 0.0, "misaligned": 0.0, "centred": 1.0}


def test_still_scenes_are_sharp(photos):
    still = Conditions(still=1.0, **QUIET)
    clip = clips(photos, conditions=still).clip(0)
    torch.testing.assert_close(clip.sharp, clip.clean, atol=1e-4, rtol=0)
    torch.testing.assert_close(clip.sharp[0], clip.sharp[2], atol=1e-4, rtol=0)


def unexplained(counts, light):
    """Share of the variance of counts (H, W) that no weights of `light` (3, H, W) explain."""
    colours = torch.from_numpy(light).flatten(1).T.double()
    seen = counts.flatten().double()
    rest = seen - colours @ torch.linalg.lstsq(colours, seen[:, None]).solution[:, 0]
    return float(rest.var() / seen.var())


@pytest.mark.parametrize("gamma_space", [0.0, 1.0])
def test_spikes_follow_the_light_of_the_video(photos, gamma_space):
    """Counts are colours times weights, in the space in which light was added up."""
    conditions = Conditions(
        still=1.0,
        gamma_space=gamma_space,
        objects=(0, 0),
        rate=(0.2, 0.2),
        exposure_stops=(-2.0, -2.0),
        usual_ticks=(10_000,),
        usual=1.0,
        ratios=(1.0,),
        ratio_shares=(1.0,),
        **QUIET,
    )
    clip = clips(photos, conditions=conditions).clip(3)
    counts, picture = clip.voxels.sum(dim=1).mean(dim=0), clip.clean[1].numpy()
    right = picture if gamma_space else srgb_to_linear(picture)
    wrong = srgb_to_linear(picture) if gamma_space else picture
    assert unexplained(counts, right) < 0.2
    assert unexplained(counts, right) < 0.8 * unexplained(counts, wrong)


def test_the_rate_is_the_one_asked_for(photos):
    conditions = Conditions(
        rate=(0.2, 0.2),
        usual=1.0,
        usual_ticks=(100,),
        objects=(0, 0),
        exposure_stops=(-3.0, -3.0),
        **QUIET,
    )
    clip = random_clip(
        PhotoLibrary(photos),
        stream(5),
        size=(64, 64),
        clip_len=3,
        bins=8,
        ratio=0.5,
        conditions=conditions,
    )
    assert float(clip.voxels.sum(dim=1).mean()) == pytest.approx(20, rel=0.05)


def test_the_target_is_the_instant_that_the_target_time_names(photos):
    """The bins around the target look more like the sharp picture than those opposite in time."""
    conditions = Conditions(
        **{**QUIET, "centred": 0.0},
        still=0.0,
        blur_px=(12.0, 20.0),
        objects=(0, 0),
        usual=1.0,
        usual_ticks=(3200,),
        rate=(0.2, 0.2),
        exposure_stops=(-2.0, -2.0),
        gamma_space=0.0,
    )
    source = clips(photos, conditions=conditions, bins=32, bad_spikes=0.0)
    checked = 0
    for index in range(30):
        clip = source[index]
        target = float(clip["target_time"])
        if abs(target) < 0.2:
            continue
        sharp = srgb_to_linear(clip["sharp"].numpy()).mean(axis=1)
        sharp = torch.nn.functional.interpolate(
            torch.from_numpy(sharp)[:, None], clip["voxels"].shape[2:], mode="area"
        )[:, 0]

        def likeness(time, sharp=sharp, voxels=clip["voxels"]):
            first = round((time + 0.5) * 32) - 2
            rate = voxels[:, max(first, 0) : first + 4].mean(dim=1)
            return np.corrcoef(rate.flatten(), sharp.flatten())[0, 1]

        assert likeness(target) > likeness(-target)
        checked += 1
    assert checked > 8


def test_photos_for_validation_are_not_trained_on(photos):
    paths = PhotoLibrary(photos).paths
    training, validation = held_out(paths)
    assert validation and training and not set(training) & set(validation)
    assert sorted(training + validation) == paths
    with pytest.raises(InputError, match="one photograph"):
        held_out(paths[:1])


def test_sources_of_a_run(photos):
    config = load_config("small", ["DATA.CROP_SIZE=32", "TRAIN.VAL_CLIPS=3", "DATA.CLIP_LEN=2"])
    training, validation = training_and_validation(config, photos=photos, data=None, val=None)
    assert len(training) == config.TRAIN.BATCH_SIZE and len(validation) == 3
    assert validation[0]["blurry"].shape == (2, 3, 64, 64)
    for both in ({"photos": None, "data": None}, {"photos": photos, "data": photos}):
        with pytest.raises(UsageError, match="--photos or --data"):
            training_and_validation(config, val=None, **both)
