"""Recordings written to files: read back by the readers of the package and compared with light."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.errors import InputError, OutputError, UsageError
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.spikes.sidecar import read_sidecar
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.recording.light import relative_luminance, srgb_to_linear
from spikedeblur.recording.voxel import voxelize_ticks
from spikedeblur.simulation.rig import RigSettings
from spikedeblur.simulation.simulation import simulate_rig, video_frame
from tests.training.pictures import noise_photo, photo_folder

SMALL = {"frames": 3, "size": (64, 48), "fps": Fraction(50), "rate_hz": Fraction(5000)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return photo_folder(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def recording(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recording") / "new"
    progress = []
    written = simulate_rig(photos, folder, RigSettings(**SMALL, seed=1), progress=progress.append)
    assert progress == [1, 2, 3]
    return folder, written


def frames_of(path):
    with open_video(path) as video:
        return [(frame.time, frame.rgb) for frame in video]


def stream_of(folder):
    said = read_sidecar(folder / "spikes.toml")
    return SpikeStream.open(
        folder / "spikes.dat", width=said.width, height=said.height, rate_hz=said.rate_hz
    )


def halved(rgb):
    """Luminance of (H, W, 3) uint8 at half size."""
    light = relative_luminance(srgb_to_linear(rgb / 255.0))
    return light.reshape(light.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))


def test_what_is_written_is_what_was_asked_for(recording):
    folder, written = recording
    assert (written.frames, written.ticks) == (3, 300)
    said = read_sidecar(folder / "spikes.toml")
    assert (said.width, said.height, said.rate_hz) == (32, 24, 5000)
    assert said.exposure.value == Fraction(9, 500) and said.offset_s == 0
    assert len(stream_of(folder)) == 300
    for name in ("blurry.mkv", "sharp.mkv"):
        shown = frames_of(folder / name)
        assert [time for time, _ in shown] == [0, Fraction(1, 50), Fraction(1, 25)]
        assert all(rgb.shape == (48, 64, 3) for _, rgb in shown)


def test_spikes_of_an_exposure_are_the_light_of_the_blurry_frame(recording):
    folder, _ = recording
    stream = stream_of(folder)
    for number, (_, rgb) in enumerate(frames_of(folder / "blurry.mkv")):
        start = 100 * number + 5
        rate = voxelize_ticks(stream, bins=1, start=start, stop=start + 90)[0] / 90
        light = halved(rgb)
        assert rate.mean() == pytest.approx(light.mean() + 0.001, rel=0.02)
        assert np.corrcoef(rate.ravel(), light.ravel())[0, 1] > 0.85


def test_sharp_is_the_middle_of_the_exposure(recording):
    folder, _ = recording
    stream = stream_of(folder)
    both = zip(frames_of(folder / "sharp.mkv"), frames_of(folder / "blurry.mkv"), strict=True)
    for number, ((_, sharp), (_, blurry)) in enumerate(both):
        assert np.square(sharp.astype(float) - blurry).mean() > 10
        middle = stream[100 * number + 40 : 100 * number + 60].mean(axis=0).ravel()
        closeness = [np.corrcoef(middle, halved(rgb).ravel())[0, 1] for rgb in (sharp, blurry)]
        assert closeness[0] > closeness[1]


def test_a_seed_gives_the_same_recording_and_another_seed_another(photos, recording, tmp_path):
    folder, _ = recording
    simulate_rig(photos, tmp_path, RigSettings(**SMALL, seed=1))
    simulate_rig(photos, tmp_path / "2", RigSettings(**SMALL, seed=2))
    spikes = [(place / "spikes.dat").read_bytes() for place in (folder, tmp_path, tmp_path / "2")]
    assert spikes[0] == spikes[1] != spikes[2]
    blurry = [frames_of(place / "blurry.mkv")[2][1] for place in (folder, tmp_path, tmp_path / "2")]
    assert (blurry[0] == blurry[1]).all() and not (blurry[0] == blurry[2]).all()


def test_twice_the_threshold_halves_the_spikes(photos, recording, tmp_path):
    simulate_rig(photos, tmp_path, RigSettings(**SMALL, seed=1, threshold=2.0))
    rates = [stream_of(place)[:].mean() for place in (recording[0], tmp_path)]
    assert rates[1] == pytest.approx(rates[0] / 2, rel=0.01)


def test_ticks_need_not_fit_the_frames(photos, tmp_path):
    settings = RigSettings(
        **{**SMALL, "fps": Fraction(30), "rate_hz": Fraction(1000)},
        spike_size=(25, 19),
        blur_px=0.0,
    )
    written = simulate_rig(photos, tmp_path, settings)
    assert written.ticks == 100 == len(stream_of(tmp_path))


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(30000, 1001), Fraction(60), Fraction(144)])
def test_frames_of_any_rate_are_read_at_the_times_they_were_simulated_for(fps, photos, tmp_path):
    """Although Matroska holds milliseconds: a tick of 20 kHz is a twentieth of one."""
    simulate_rig(
        photos, tmp_path, RigSettings(frames=4, size=(32, 24), fps=fps, rate_hz=Fraction(1000))
    )
    with open_video(tmp_path / "blurry.mkv") as video:
        assert [frame.span for frame in video] == [(n / fps, 1 / fps) for n in range(4)]


def source_video(path, count):
    picture = noise_photo(8, 48, 200)
    with create_video(path, VideoInfo.synthetic(64, 48, 400), EncoderSettings("ffv1")) as video:
        for number in range(count):
            moved = np.ascontiguousarray(picture[:, 2 * number : 2 * number + 64])
            video.write(video_frame(moved, number, Fraction(400)))
    return path


def test_a_sharp_video_is_recorded_between_its_frames(tmp_path):
    source = source_video(tmp_path / "source.mkv", 25)
    written = simulate_rig(source, tmp_path / "out", RigSettings(rate_hz=Fraction(5000)))
    assert (written.frames, written.ticks) == (3, 300)
    shown = frames_of(tmp_path / "out" / "sharp.mkv")
    originals = frames_of(source)
    assert [time for time, _ in shown] == [0, Fraction(1, 50), Fraction(1, 25)]
    for number, (_, rgb) in enumerate(shown):
        np.testing.assert_allclose(rgb, originals[8 * number + 4][1], atol=1)
    rate = stream_of(tmp_path / "out")[5:95].mean(axis=0)
    light = halved(frames_of(tmp_path / "out" / "blurry.mkv")[0][1])
    assert rate.mean() == pytest.approx(light.mean() + 0.001, rel=0.02)


def test_what_cannot_be_is_refused(photos, recording, tmp_path):
    with pytest.raises(OutputError, match="exists"):
        simulate_rig(photos, recording[0], RigSettings(**SMALL))
    with pytest.raises(UsageError, match="number of frames"):
        simulate_rig(photos, tmp_path, RigSettings(frames=0))
    with pytest.raises(UsageError, match="exposure is longer"):
        simulate_rig(photos, tmp_path, RigSettings(exposure=Fraction(2)))
    with pytest.raises(UsageError, match="threshold"):
        simulate_rig(photos, tmp_path, RigSettings(threshold=0.0))
    with pytest.raises(InputError):
        simulate_rig(tmp_path / "missing.mp4", tmp_path / "out")
    with pytest.raises(InputError, match="too short"):
        simulate_rig(source_video(tmp_path / "short.mkv", 5), tmp_path / "out")
    assert not any((tmp_path / "out").iterdir())
