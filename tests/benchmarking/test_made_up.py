"""The made-up recording: its video and its spikes are of the same light."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from spikedeblur import Deblurrer, SpikeStream
from spikedeblur.benchmarking.made_up import FPS, RATE_HZ, write_clip
from spikedeblur.io.video import open_video

TICKS = RATE_HZ // FPS


@pytest.mark.parametrize("size", [(64, 48), (33, 31)])
def test_spikes_of_an_exposure_add_up_to_the_light_of_its_frame(tmp_path, size):
    clip = write_clip(tmp_path, size, count=3)
    with open_video(clip.video) as reader, SpikeStream.open(clip.spikes) as stream:
        frames = [frame.rgb / 255.0 for frame in reader]
        assert len(frames) == 3 and stream.shape == (3 * TICKS, size[1] // 2, size[0] // 2)
        for number, rgb in enumerate(frames):
            rate = stream[number * TICKS : (number + 1) * TICKS].mean(axis=0)
            light = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
            assert rgb.shape == (size[1], size[0], 3)
            even = size[0] % 2 == 0  # each spike pixel then covers as many pixels of the video
            assert light.mean() == pytest.approx(rate.mean(), abs=0.003 if even else 0.02)
            if even:
                shown = light.mean(axis=-1).reshape(24, 2, 32, 2).mean((1, 3))
                assert np.abs(shown - rate).mean() < 0.02  # H.264 has lost some of it


def test_video_and_spikes_belong_together_and_are_the_same_every_time(tmp_path):
    clips = [write_clip(tmp_path / name, (96, 64)) for name in ("a", "b")]
    assert clips[0].spikes.read_bytes() == clips[1].spikes.read_bytes()
    agreement = Deblurrer(method="sdm").check(clips[0].video, clips[0].spikes)
    assert agreement is not None and agreement.match > 0.95


def test_it_is_restored_into_a_file_again_and_again(tmp_path):
    clip = write_clip(tmp_path, (32, 32), count=3)
    deblurrer = Deblurrer(method="sdm")
    assert clip.restore(deblurrer, end=Fraction(1, FPS)) == 1
    assert [clip.restore(deblurrer) for _ in range(2)] == [3, 3]
    with open_video(clip.output) as reader:
        assert reader.info.codec == clip.codec and len(list(reader)) == 3
