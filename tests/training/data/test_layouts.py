"""Every layout is told from the others, and gives the ticks that its makers meant."""

from __future__ import annotations

import shutil
from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.errors import InputError, UsageError
from spikedeblur.simulation.rig import RigSettings
from spikedeblur.simulation.simulation import simulate_rig
from spikedeblur.training.data.layouts import LAYOUT_READERS, find_sequences, middle_tick
from spikedeblur.training.data.recorded import training_sequences
from tests.training import trees
from tests.training.pictures import noise_photo, photo_folder

TREES = {
    "folders": trees.in_folders,
    "spk-gopro": trees.spk_gopro,
    "spk-x4k": trees.spk_x4k,
    "s-sdm": trees.s_sdm,
}


def first_frame(sequences, bins=1):
    return next(iter(sequences[0].read(range(1), bins)))


@pytest.mark.parametrize("name", TREES)
def test_a_layout_is_detected_and_can_be_named(name, tmp_path):
    TREES[name](tmp_path)
    found = find_sequences(tmp_path)
    assert set(found) == {"train", "val"}
    named = find_sequences(tmp_path, name)
    assert [s.name for s in named["train"]] == [s.name for s in found["train"]]
    for other in LAYOUT_READERS.keys() - {name}:
        with pytest.raises(InputError, match="no sequences"):
            find_sequences(tmp_path, other)


def test_folders(tmp_path):
    trees.in_folders(tmp_path)
    splits = find_sequences(tmp_path)
    assert [s.name for s in splits["train"]] == ["one", "two"]
    frame = first_frame(splits["train"])
    planes = trees.random_spikes(30, 2, 0)
    np.testing.assert_array_equal(frame.blurry, noise_photo(0, 24, 32))
    np.testing.assert_array_equal(frame.sharp, noise_photo(50, 24, 32))
    np.testing.assert_array_equal(frame.counts[0], planes.sum(0))


@pytest.mark.parametrize("extra", [0, 3])
def test_spk_gopro_takes_eight_ticks_per_averaged_frame(extra, tmp_path):
    trees.spk_gopro(tmp_path, extra)
    splits = find_sequences(tmp_path)
    for split, seed, ticks in (("train", 0, 56), ("val", 100, 88)):
        planes = trees.random_spikes(ticks + 2 * extra, 2, seed)
        counts = first_frame(splits[split]).counts[0]
        np.testing.assert_array_equal(counts, planes[extra : extra + ticks].sum(0))


def test_spk_x4k_counts_ticks_in_fours(tmp_path):
    assert [middle_tick(stem) for stem in ("0000", "0000_000", "0001", "0001_002", "0012")] == [
        0,
        1,
        4,
        7,
        48,
    ]
    trees.spk_x4k(tmp_path)
    sequence = find_sequences(tmp_path)["train"][0]
    assert sequence.name == "002/occ1"
    assert len(sequence) == 20 and sequence.step == 5  # ticks 2 to 21 lie inside; 5 apart
    planes = trees.random_spikes(24, 2, 0)
    frames = list(sequence.read(range(0, 20, 5), 1))
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.blurry, noise_photo(2 + 5 * number, 24, 32))
        np.testing.assert_array_equal(frame.sharp, noise_photo(52 + 5 * number, 24, 32))
        np.testing.assert_array_equal(frame.counts[0], planes[5 * number : 5 * number + 5].sum(0))


@pytest.mark.parametrize("full", [False, True])
def test_s_sdm_takes_the_exposure_out_of_the_middle(full, tmp_path):
    trees.s_sdm(tmp_path, full)
    planes = trees.random_spikes(137, 1 if full else 4, 0)
    counts = first_frame(find_sequences(tmp_path)["train"]).counts[0]
    np.testing.assert_array_equal(counts, planes[20:117].sum(0))


def test_simulated_recordings_are_read_frame_by_frame(tmp_path):
    photos = photo_folder(tmp_path / "photos", 2)
    settings = {"frames": 4, "size": (32, 24), "fps": Fraction(60), "rate_hz": Fraction(3000)}
    for seed in (1, 2, 3):
        simulate_rig(photos, tmp_path / "set" / f"{seed}", RigSettings(**settings, seed=seed))
    splits = find_sequences(tmp_path / "set")
    assert set(splits) == {"train"} and [s.name for s in splits["train"]] == ["1", "2", "3"]
    sequence = splits["train"][0]
    assert len(sequence) == 4
    whole = list(sequence.read(range(4), 8))
    part = list(sequence.read(range(2, 4), 8))
    for one, other in zip(whole[2:], part, strict=True):
        np.testing.assert_array_equal(one.blurry, other.blurry)
        np.testing.assert_array_equal(one.sharp, other.sharp)
        np.testing.assert_array_equal(one.counts, other.counts)
    assert not np.array_equal(whole[0].sharp, whole[1].sharp)
    assert whole[0].counts.sum(0).mean() == pytest.approx(45 * 0.24, rel=0.3)
    training, validation = training_sequences(tmp_path / "set", None)
    assert ([s.name for s in training], [s.name for s in validation]) == (["2", "3"], ["1"])


def test_a_training_sequence_in_the_validation_split_is_refused(tmp_path):
    trees.in_folders(tmp_path)
    training_sequences(tmp_path, None)
    shutil.copytree(tmp_path / "train" / "two", tmp_path / "val" / "other_name")
    with pytest.raises(InputError, match="two is validated on, too"):
        training_sequences(tmp_path, None)
    shutil.rmtree(tmp_path / "val" / "other_name")
    (tmp_path / "val" / "three").rename(tmp_path / "val" / "one")
    with pytest.raises(InputError, match="one is validated on, too"):
        training_sequences(tmp_path, None)


def test_damage_is_named(tmp_path):
    trees.spk_gopro(tmp_path)
    dat = tmp_path / "GOPRO_Large_spike_seq/train/GOPR0372_07_00/spike/000004.dat"
    whole = dat.read_bytes()
    dat.write_bytes(whole[:-1])
    with pytest.raises(InputError, match=r"000004\.dat, .* bytes"):
        find_sequences(tmp_path)
    dat.write_bytes(whole[: 24 * 50])
    with pytest.raises(InputError, match="50 ticks of 56"):
        find_sequences(tmp_path)
    dat.unlink()
    with pytest.raises(InputError, match="missing"):
        find_sequences(tmp_path)
    dat.write_bytes(whole)
    (tmp_path / "GOPRO_Large/train/GOPR0372_07_00/sharp/000011.png").unlink()
    with pytest.raises(InputError, match=r"000011\.png"):
        find_sequences(tmp_path)


def test_what_is_no_training_set_is_refused(tmp_path):
    with pytest.raises(InputError, match="no sequences"):
        find_sequences(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_sequences(tmp_path / "missing")
    with pytest.raises(UsageError, match="spk-gopro"):
        find_sequences(tmp_path, "gopro")
    trees.in_folders(tmp_path)
    (tmp_path / "spike.toml").unlink()
    with pytest.raises(InputError, match=r"spike\.toml"):
        find_sequences(tmp_path)
