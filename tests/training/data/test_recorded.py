"""Clips cut out of recorded sequences: pictures and spikes stay together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikedeblur.errors import InputError
from spikedeblur.training.config import load_config
from spikedeblur.training.data.datasets import training_and_validation
from spikedeblur.training.data.layouts import find_sequences
from spikedeblur.training.data.recorded import RecordedClips, clip_places
from spikedeblur.training.data.sequences import RecordedFrame
from tests.training import trees
from tests.training.pictures import noise_photo, photo_folder


class Coordinates:
    """Pictures whose red and green are the pixel's place, spikes whose bins are; no files."""

    step = 1

    def __init__(self, name="grid", size=(24, 32), plane=(12, 16), frames=5):
        self.name, self.size, self.plane, self.frames = name, size, plane, frames

    def __len__(self):
        return self.frames

    def marks(self):
        return {self.name}

    def read(self, numbers, bins):
        def places(size, scale):
            rows, columns = np.indices(size)
            return (rows + 0.5) * scale[0], (columns + 0.5) * scale[1]

        for number in numbers:
            y, x = places(self.size, (1, 1))
            rgb = np.stack([y, x, np.full(self.size, number)], axis=-1).astype(np.uint8)
            scale = self.size[0] / self.plane[0], self.size[1] / self.plane[1]
            y, x = places(self.plane, scale)
            yield RecordedFrame(rgb, rgb + 1, np.stack([y, x]).astype(np.float32))


@pytest.mark.parametrize("plane", [(12, 16), (24, 32), (6, 8), (9, 12), (15, 20)])
def test_crops_and_mirrors_keep_spikes_over_their_pixels(plane):
    source = RecordedClips([Coordinates(plane=plane)], crop=16, clip_len=3, bins=2, bad_spikes=0.0)
    corners = set()
    for epoch in range(20):
        source.set_epoch(epoch)
        clip = source[1]
        assert clip["blurry"].shape == clip["sharp"].shape == (3, 3, 16, 16)
        assert [round(float(blue) * 255) for blue in clip["blurry"][:, 2, 0, 0]] == [1, 2, 3]
        torch.testing.assert_close(clip["sharp"], clip["blurry"] + 1 / 255)
        light = torch.nn.functional.interpolate(
            clip["blurry"][:, :2] * 255 + 0.5, clip["voxels"].shape[2:], mode="area"
        )
        # Within half a frame pixel: odd ratios cannot do better with whole pixels.
        assert (clip["voxels"] - light).abs().max() <= 1.01
        corners.add(tuple(round(float(v) * 255) for v in clip["blurry"][0, :2, 0, 0]))
    assert len(corners) > 8


def test_clips_are_functions_of_seed_epoch_and_index():
    def clips(seed):
        return RecordedClips([Coordinates()], crop=16, clip_len=3, bins=2, seed=seed)

    one, other = clips(1), clips(1)
    other[0]
    for index in range(len(one)):
        assert all(torch.equal(one[index][key], other[index][key]) for key in one[index])
    assert any(
        not torch.equal(one[index]["blurry"], clips(2)[index]["blurry"]) for index in range(3)
    )


def test_sequences_of_other_ratios_can_be_stacked():
    both = [Coordinates(plane=(12, 16)), Coordinates(plane=(6, 8)), Coordinates(plane=(24, 32))]
    source = RecordedClips(both, crop=16, clip_len=5, bins=2, bad_spikes=0.0)
    assert {source[index]["voxels"].shape for index in range(3)} == {(5, 2, 8, 8)}


def test_spikes_that_tell_nothing_leave_the_blurry_frames_as_target():
    source = RecordedClips([Coordinates(frames=20)], crop=16, clip_len=2, bins=2, bad_spikes=1.0)
    clips = [source[index] for index in range(len(source))]
    assert all(torch.equal(clip["sharp"], clip["blurry"]) for clip in clips)
    assert any((clip["voxels"] == 0).all() for clip in clips)


def test_validation_is_on_whole_frames_spread_over_all():
    source = RecordedClips([Coordinates(frames=30)], crop=None, clip_len=2, bins=2, length=3)
    first = [round(float(source[index]["blurry"][0, 2, 0, 0]) * 255) for index in range(3)]
    assert first == [0, 9, 19]
    assert source[0]["blurry"].shape == (2, 3, 24, 32)
    assert source[0]["voxels"].shape == (2, 2, 12, 16)


def test_exposures_of_a_clip_are_apart_where_they_can_be():
    sequence = Coordinates(frames=11)
    sequence.step = 4
    assert {place.numbers for place in clip_places([sequence], 3)} == {
        range(first, first + 9, 4) for first in range(3)
    }
    assert clip_places([sequence], 6)[0].numbers == range(0, 11, 2)
    with pytest.raises(InputError, match=r"CLIP_LEN"):
        clip_places([sequence], 12)


def test_frames_smaller_than_the_crop_are_refused():
    source = RecordedClips([Coordinates()], crop=32, clip_len=2, bins=2)
    with pytest.raises(InputError, match="CROP_SIZE to at most 16"):
        source[0]


def test_a_recorded_set_feeds_a_run(tmp_path):
    trees.s_sdm(tmp_path / "set")
    config = load_config("small", ["DATA.CROP_SIZE=16", "DATA.CLIP_LEN=2", "DATA.K=8"])
    training, validation = training_and_validation(
        config, photos=None, data=tmp_path / "set", val=None
    )
    assert training[0]["blurry"].shape == (2, 3, 16, 16)
    assert training[0]["voxels"].shape == (2, 8, 4, 4)
    assert validation[0]["blurry"].shape == (2, 3, 24, 32)
    np.testing.assert_array_equal(
        (validation[0]["blurry"][0] * 255).round().permute(1, 2, 0).numpy(),
        noise_photo(100, 24, 32),
    )
    photos = photo_folder(tmp_path / "photos", 2)
    _, validation = training_and_validation(config, photos=photos, data=None, val=tmp_path / "set")
    assert isinstance(validation, RecordedClips)
    assert find_sequences(tmp_path / "set")["val"][0].name == "GOPR1"
