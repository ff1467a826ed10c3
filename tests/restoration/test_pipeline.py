"""The corridor from frames and spikes to sharp frames, with small models in the network's place."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch

from spikedeblur.errors import InputError, OutputError, UsageError
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.output.restored import to_integers
from spikedeblur.output.writers import OutputWriters
from spikedeblur.recording.exposures import StreamExposures
from spikedeblur.recording.voxel_exposures import VoxelExposures
from spikedeblur.restoration.pipeline import Deblurrer
from tests.networks import Network, without_spikes
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH, frame_at


@Network
def identity(rgb, voxels, target_time):
    return rgb


@Network
def invert(rgb, voxels, target_time):
    return 1 - rgb


def random_frames(
    count: int, height: int = 20, width: int = 30, dtype=np.uint8
) -> list[VideoFrame]:
    rng = np.random.default_rng(count)
    high = np.iinfo(dtype).max + 1
    return [
        frame_at(index, rng.integers(0, high, (height, width, 3)).astype(dtype))
        for index in range(count)
    ]


def grids(count: int, height: int = 10, width: int = 15) -> VoxelExposures:
    rng = np.random.default_rng(count)
    return VoxelExposures(rng.poisson(3, (count, 32, height, width)).astype(np.float32))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 12])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_identity_gives_back_every_frame_with_its_time(count, dtype):
    blurry = random_frames(count, dtype=dtype)
    deblurrer = Deblurrer(identity, tile=32, overlap=8)
    sharp = list(deblurrer.frames(blurry, grids(count)))
    assert [(f.index, f.pts, f.time_base, f.interval) for f in sharp] == [
        (f.index, f.pts, f.time_base, f.interval) for f in blurry
    ]
    for one, other in zip(blurry, sharp, strict=True):
        assert other.rgb.dtype == dtype
        np.testing.assert_array_equal(one.rgb, other.rgb)
    assert (deblurrer.tally.read, deblurrer.tally.written) == (count, count)


def test_every_window_sees_its_frames_with_their_own_spikes():
    """A model that paints the mean count of a frame's grid shows which grid came with it."""

    @Network
    def paint(rgb, voxels, target_time):
        assert rgb.shape[:2] == voxels.shape[:2] == (1, 5)
        return voxels.mean((2, 3, 4))[:, :, None, None, None].expand_as(rgb) / 100

    number = np.arange(8, dtype=np.float32)[:, None, None, None]
    counts = number * np.ones((8, 32, 10, 15), np.float32)
    sharp = Deblurrer(paint).frames(random_frames(8), VoxelExposures(counts))
    expected = [round(number / 100 * 255) for number in range(8)]
    assert [int(frame.rgb[3, 4, 1]) for frame in sharp] == expected


@pytest.mark.parametrize("sizes", [(4, 7), (6, 2, 5), (9,)])
def test_nothing_is_blended_across_a_cut(sizes):
    """A model that gives each frame the mean of its window would show every neighbour it saw."""

    @Network
    def mean(rgb, voxels, target_time):
        return rgb.mean(1, keepdim=True).expand_as(rgb)

    scenes = [frame.rgb for frame in random_frames(len(sizes), 40, 60)]
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    blurry = [frame_at(index, scenes[number]) for index, number in enumerate(numbers)]
    for one, other in zip(blurry, Deblurrer(mean).frames(blurry, grids(len(blurry))), strict=True):
        np.testing.assert_array_equal(one.rgb, other.rgb)
        assert one.pts == other.pts


def test_slow_motion_spreads_frames_over_interval_and_exposure():
    times = []

    @Network
    def note(rgb, voxels, target_time):
        times.append(target_time)
        return torch.full_like(rgb, 0.5 + target_time)

    sharp = list(Deblurrer(note, slowmo=4).frames(random_frames(5), grids(5)))
    assert times == [-0.375, -0.125, 0.125, 0.375]
    assert [frame.time for frame in sharp] == [Fraction(n, 4 * RATE) for n in range(20)]
    assert {frame.interval for frame in sharp} == {Fraction(1, 4 * RATE)}
    assert [int(frame.rgb[0, 0, 0]) for frame in sharp[:4]] == [32, 96, 159, 223]


class TestCoverage:
    """A stream of 3.5 frames' length under a video of 6 frames."""

    @pytest.fixture
    def stream(self, recording) -> Iterator[SpikeStream]:
        with SpikeStream.open(
            recording.spikes,
            width=WIDTH // 2,
            height=HEIGHT // 2,
            rate_hz=RATE * TICKS,
            offset_s=Fraction(-7, 2) / RATE,
        ) as stream:
            yield stream

    def test_uncovered_frames_pass_through_and_are_counted(self, stream):
        blurry = random_frames(6, HEIGHT, WIDTH)
        deblurrer = Deblurrer(invert)
        sharp = list(deblurrer.frames(blurry, stream))
        for index, (one, other) in enumerate(zip(blurry, sharp, strict=True)):
            expected = 255 - one.rgb if index < 4 else one.rgb
            np.testing.assert_array_equal(other.rgb, expected)
        tally = deblurrer.tally
        assert (tally.partial, tally.uncovered) == (1, 2)
        assert tally.input_was_damaged
        assert [text for text in tally.warnings() if "1 of 6" in text or "2 of 6" in text]

    def test_partial_coverage_alone_is_no_damage(self, stream):
        deblurrer = Deblurrer(identity)
        list(deblurrer.frames(random_frames(4, HEIGHT, WIDTH), stream))
        assert deblurrer.tally.partial == 1 and not deblurrer.tally.input_was_damaged

    def test_no_coverage_at_all_is_an_error(self, stream):
        late = [
            frame_at(index + 100, frame.rgb)
            for index, frame in enumerate(random_frames(5, HEIGHT, WIDTH))
        ]
        with pytest.raises(InputError, match="end before the first frame"):
            list(Deblurrer(identity).frames(late, stream))

    def test_exposure_shorter_than_the_interval_takes_its_ticks_only(self, stream):
        from spikedeblur.quantities import parse_exposure

        exposures = StreamExposures(stream, exposure=parse_exposure("0.5x"))
        interval = exposures.interval(Fraction(1, RATE), Fraction(1, RATE))
        assert (interval.start, interval.length) == (TICKS * 4 + TICKS * Fraction(3, 4), TICKS // 2)


def test_models_without_spikes_need_none():
    @without_spikes
    def plain(rgb, voxels, target_time):
        assert voxels is None
        return 1 - rgb

    blurry = random_frames(5)
    sharp = list(Deblurrer(plain).frames(blurry))
    np.testing.assert_array_equal(sharp[2].rgb, 255 - blurry[2].rgb)


def test_what_is_no_model_is_refused():
    with pytest.raises(UsageError, match="function seen"):
        Deblurrer(lambda rgb, voxels, target_time: rgb)


def test_models_of_one_instant_make_no_slow_motion():
    with pytest.raises(UsageError, match="--slowmo 2"):
        Deblurrer(Network(identity, any_target_time=False), slowmo=2)


def test_methods_that_need_spikes_say_so():
    with pytest.raises(UsageError, match="--spikes"):
        list(Deblurrer(identity).frames(random_frames(2)))
    with pytest.raises(UsageError, match="--spikes"):
        list(Deblurrer(method="sdm").frames(random_frames(2)))


@pytest.mark.parametrize(
    "settings",
    [
        {"slowmo": 0},
        {"window": 5, "stride": 6},
        {"method": "magic"},
        {"device": "cuda:99"},
        {"device": "toaster"},
        {"precision": "fp8"},
        {"precision": "fp16", "device": "cpu"},
        {"tile": 10},
        {"tile": 64, "overlap": 60},
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(settings):
    with pytest.raises(UsageError):
        Deblurrer(identity, **settings)


def test_sdm_is_sharper_than_the_blurry_input(recording):
    with open_video(recording.blurry) as blurry, open_video(recording.sharp) as truth:
        deblurrer = Deblurrer(method="sdm")
        frames, exposures = deblurrer.open_spikes(blurry, recording.spikes)
        after = []
        for one, other in zip(deblurrer.frames(frames, exposures), truth, strict=True):
            after.append(error(one.rgb, other.rgb))
    with open_video(recording.blurry) as blurry, open_video(recording.sharp) as truth:
        before = [error(one.rgb, other.rgb) for one, other in zip(blurry, truth, strict=True)]
    assert np.mean(after) < 0.7 * np.mean(before)


def error(one: np.ndarray, other: np.ndarray) -> float:
    return float(((one.astype(float) - other) ** 2).mean())


@pytest.mark.parametrize("method", ["tfp", "tfi"])
def test_grey_methods_follow_the_sharp_picture(recording, method):
    deblurrer = Deblurrer(method=method)
    with open_video(recording.blurry) as blurry, open_video(recording.sharp) as truth:
        frames, exposures = deblurrer.open_spikes(blurry, recording.spikes)
        pairs = list(zip(deblurrer.frames(frames, exposures), truth, strict=True))
    correlation = [
        np.corrcoef(one.rgb.mean(-1).ravel(), other.rgb.mean(-1).ravel())[0, 1]
        for one, other in pairs
    ]
    assert min(correlation) > 0.6


def test_only_a_window_of_frames_is_alive():
    alive: weakref.WeakSet[VideoFrame] = weakref.WeakSet()

    def source() -> Iterator[VideoFrame]:
        for index in range(60):
            frame = frame_at(index, np.zeros((16, 16, 3), np.uint8))
            alive.add(frame)
            yield frame

    most = 0
    for _ in Deblurrer(identity).frames(source(), grids(60, 8, 8)):
        most = max(most, len(alive))
    # the window, the stride's frames that wait for the next, one in hand, one looked ahead to
    assert most <= 5 + 3 + 2


def test_floats_become_the_nearest_integer():
    picture = np.array([-0.1, 0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 7.0], np.float32)
    assert to_integers(picture, np.dtype(np.uint8)).tolist() == [0, 0, 0, 1, 255, 255]
    assert to_integers(picture, np.dtype(np.uint16))[-1] == 65535


def test_run_writes_the_same_number_of_frames_at_the_same_times(recording, tmp_path):
    done = []
    tally = Deblurrer(identity).run(
        recording.blurry,
        recording.spikes,
        tmp_path / "out.mkv",
        compare="side",
        on_frame=lambda *state: done.append(state),
    )
    assert tally.written == recording.frames and not tally.input_was_damaged
    assert done == [(number + 1, recording.frames) for number in range(recording.frames)]
    with (
        open_video(recording.blurry) as blurry,
        open_video(tmp_path / "out.mkv") as sharp,
        open_video(tmp_path / "out_compare.mkv") as both,
    ):
        for one, other, pair in zip(blurry, sharp, both, strict=True):
            assert one.time == other.time == pair.time
            np.testing.assert_array_equal(one.rgb, other.rgb)
            np.testing.assert_array_equal(pair.rgb, np.concatenate([one.rgb, other.rgb], axis=1))


def test_a_run_that_fails_leaves_nothing(recording, tmp_path):
    @Network
    def broken(rgb, voxels, target_time):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Deblurrer(broken).run(
            recording.blurry, recording.spikes, tmp_path / "out.mkv", compare="split"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["reading", "writing", "progress"])
def test_errors_of_other_threads_come_out_as_they_are(recording, tmp_path, monkeypatch, where):
    def fail(*_arguments):
        raise error

    error = KeyboardInterrupt() if where == "progress" else OutputError("it broke - mend it")
    before = threading.active_count()
    if where == "reading":
        monkeypatch.setattr(StreamExposures, "counts", fail)
    elif where == "writing":
        monkeypatch.setattr(OutputWriters, "write", fail)
    with pytest.raises(type(error)) as caught:
        Deblurrer(identity).run(
            recording.blurry,
            recording.spikes,
            tmp_path / "out.mkv",
            on_frame=fail if where == "progress" else None,
        )
    assert caught.value is error
    assert list(tmp_path.iterdir()) == [] and threading.active_count() == before


def test_a_part_of_the_video_keeps_its_place_in_the_spikes(recording, tmp_path):
    """With --start, tick 0 stays at the first frame of the video, not of the part."""
    deblurrer = Deblurrer(method="sdm")
    deblurrer.run(recording.blurry, recording.spikes, tmp_path / "whole.mkv")
    deblurrer.run(
        recording.blurry,
        recording.spikes,
        tmp_path / "part.mkv",
        start=Fraction(3, RATE),
        end=Fraction(5, RATE),
    )
    with open_video(tmp_path / "whole.mkv") as whole, open_video(tmp_path / "part.mkv") as part:
        expected = [frame.rgb for frame in whole][3:5]
        for one, other in zip(expected, part, strict=True):
            np.testing.assert_array_equal(one, other.rgb)


def test_spikes_are_left_alone_by_weights_that_use_none(recording, tmp_path, caplog):
    @without_spikes
    def plain(rgb, voxels, target_time):
        assert voxels is None
        return rgb

    Deblurrer(plain).run(recording.blurry, tmp_path / "nowhere.dat", tmp_path / "out.mkv")
    assert "use no spikes" in caplog.text


def test_one_deblurrer_serves_videos_of_several_sizes():
    deblurrer = Deblurrer(identity)
    for height, width in ((20, 30), (90, 200)):
        list(deblurrer.frames(random_frames(5, height, width), grids(5)))
        assert deblurrer.tiled is not None and deblurrer.tiled.tile >= width
