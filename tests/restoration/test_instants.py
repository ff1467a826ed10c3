"""Single instants come out as slow motion has them, whichever frames they lie in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.errors import UsageError
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.restoration.pipeline import Deblurrer
from tests.recordings import RATE, Recording, frame_at, make_recording

FRAMES = 12
# Frames whose neighbours meet, and some whose neighbours do not.
CHOSEN = (0, 1, 4, 8, 9, 11)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> Recording:
    """Twelve frames, the shutter open for all of each; a hard cut before frame 5."""
    made = make_recording(tmp_path_factory.mktemp("filmed"), frames=FRAMES)
    with open_video(made.blurry) as reader:
        pictures = [frame.rgb for frame in reader]
    pictures[5:] = [255 - picture for picture in pictures[5:]]
    made.blurry.unlink()
    with create_video(made.blurry, VideoInfo.synthetic(48, 32, RATE)) as writer:
        for number, picture in enumerate(pictures):
            writer.write(frame_at(number, picture))
    return made


def run(filmed: Recording, out: Path, method: str, weights: Path, **options) -> np.ndarray:
    slowmo = {name: options.pop(name) for name in list(options) if name == "slowmo"}
    Deblurrer(weights, method=method, threads=1, **slowmo).run(
        filmed.blurry, filmed.spikes, out, overwrite=True, **options
    )
    with open_video(out) as reader:
        return np.stack([frame.rgb for frame in reader])


@pytest.mark.parametrize("method", ["sdm", "joint", "net"])
def test_they_are_those_of_slow_motion(method, filmed, tmp_path, tiny_weights):
    """A quarter and three quarters of each exposure, of some of the frames."""
    slow = run(filmed, tmp_path / "slow.mkv", method, tiny_weights, slowmo=2)
    instants = [
        Fraction(number, RATE) + Fraction(part, 4 * RATE) for number in CHOSEN for part in (1, 3)
    ]
    single = run(filmed, tmp_path / "single.mkv", method, tiny_weights, instants=instants[::-1])
    wanted = [2 * number + part for number in CHOSEN for part in (0, 1)]
    np.testing.assert_array_equal(single, slow[wanted])
    assert (slow[0] != slow[1]).any()


def test_few_frames_are_held(filmed, tmp_path, tiny_weights, monkeypatch):
    """However many have instants: with one in each, no more than the windows around it."""
    from spikedeblur.restoration.instants import InstantsRestorer

    held = []
    restored = InstantsRestorer._restored

    def watched(self, number, frames):
        held.append(len(frames))
        return restored(self, number, frames)

    monkeypatch.setattr(InstantsRestorer, "_restored", watched)
    instants = [Fraction(2 * number + 1, 2 * RATE) for number in range(FRAMES)]
    run(filmed, tmp_path / "s.mkv", "joint", tiny_weights, instants=instants)
    assert len(held) == FRAMES and max(held) <= 4


def test_what_cannot_be_meant(filmed, tmp_path, tiny_weights):
    for options, words in (
        ({"slowmo": 2}, "slow motion"),
        ({"resume": True}, "--resume"),
        ({"instants": []}, "no instant"),
        ({"instants": [0.5]}, "no shutter is open at 0.5 s"),
    ):
        with pytest.raises(UsageError, match=words):
            run(filmed, tmp_path / "s.mkv", "sdm", tiny_weights, **{"instants": [0.01], **options})
        assert not (tmp_path / "s.mkv").exists()
