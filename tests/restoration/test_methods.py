"""The table of the methods without weights: one line there, and everything knows of it."""

from __future__ import annotations

import numpy as np
import pytest

from spikedeblur.benchmarking.setups import Setup, parse_methods
from spikedeblur.cli import deblur
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video import open_video
from spikedeblur.restoration.methods import METHODS, Method
from spikedeblur.restoration.pipeline import Deblurrer
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH


@pytest.fixture
def stream(recording):
    with SpikeStream.open(
        recording.spikes, width=WIDTH // 2, height=HEIGHT // 2, rate_hz=RATE * TICKS
    ) as stream:
        yield stream


@pytest.mark.parametrize("name", METHODS)
def test_every_method_restores_frames_at_every_instant(name, recording, stream):
    with open_video(recording.blurry) as video:
        sharp = list(Deblurrer(method=name, slowmo=2).frames(video, stream))
    assert len(sharp) == 2 * recording.frames
    assert all(frame.rgb.shape == (HEIGHT, WIDTH, 3) and frame.rgb.std() > 1 for frame in sharp)


def test_a_line_in_the_table_is_all_that_a_method_needs(monkeypatch, recording, stream):
    method = Method(lambda view, target, window: 1 - view.frame, "turns light into dark")
    monkeypatch.setitem(METHODS, "negative", method)
    with open_video(recording.blurry) as video, open_video(recording.blurry) as same:
        sharp = Deblurrer(method="negative").frames(video, stream)
        for one, other in zip(same, sharp, strict=True):
            np.testing.assert_array_equal(255 - one.rgb, other.rgb)
    assert parse_methods("negative") == [Setup("negative", "negative")]


def test_the_command_line_offers_each_and_says_what_it_does():
    option = next(each for each in deblur.command.params if each.name == "method")
    assert list(option.type.choices) == ["net", *METHODS]
    assert all(f"{name} {method.summary}" in option.help for name, method in METHODS.items())
