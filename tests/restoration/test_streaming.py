"""Frames one by one, from Python: the rig counts, and pictures come from anywhere."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.pictures import Pictures, in_depth
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.spikes.stream import SpikeStream, write_dat
from spikedeblur.io.video import open_video
from spikedeblur.restoration.pipeline import Deblurrer
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH

LATE_S = Fraction(1, 100)  # half a frame
SHIFT = 3  # spike pixels that the sensor sees beyond the left and the upper border
HOMOGRAPHY = (2.0, 0.0, 0.5 - 2 * SHIFT, 0.0, 2.0, 0.5 - 2 * SHIFT, 0.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def rig(recording, tmp_path_factory):
    """The same recording by a larger sensor, begun half a frame early: only its sidecar tells."""
    planes = SpikeStream.open(recording.spikes)[:]
    early = round(LATE_S * RATE * TICKS)
    held = np.pad(planes, ((early, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    path = tmp_path_factory.mktemp("rig") / "rig.dat"
    write_dat(path, [held])
    size = WIDTH // 2 + 2 * SHIFT, HEIGHT // 2 + 2 * SHIFT
    settings = RecordingSettings(
        size=size,
        rate_hz=RATE * TICKS,
        offset_s=-LATE_S,
        exposure=Fraction(1, RATE),
        homography=HOMOGRAPHY,
    )
    write_sidecar(path.with_suffix(".toml"), settings)
    return path, held, settings


def psnr(frames, truth) -> float:
    errors = [
        np.square(a.rgb / 255 - b.rgb / 255).mean() for a, b in zip(frames, truth, strict=True)
    ]
    return float(-10 * np.log10(np.mean(errors)))


def test_frames_honours_sidecar_exposure_and_homography(recording, rig):
    path, held, settings = rig
    with open_video(recording.sharp) as video:
        truth = list(video)
    deblurrer = Deblurrer(method="sdm")

    def restored(spikes, options=None):
        with open_video(recording.blurry) as video:
            return list(deblurrer.frames(video, spikes, spike_options=options))

    plain = psnr(restored(recording.spikes), truth)
    of_the_rig = [
        restored(path),
        restored(SpikeStream.open(path)),
        restored(held, settings),
        restored(SpikeStream.of_array(held, settings)),
    ]
    for frames in of_the_rig:
        assert psnr(frames, truth) > plain - 0.5
    for other in of_the_rig[1:]:
        assert all((a.rgb == b.rgb).all() for a, b in zip(of_the_rig[0], other, strict=True))
    unaware = RecordingSettings(offset_s=0, homography=(2, 0, 0.5, 0, 2, 0.5, 0, 0, 1))
    assert psnr(restored(path, unaware), truth) < plain - 2


def test_a_stream_is_opened_as_its_sidecar_says_unless_told_otherwise(rig):
    path, held, _ = rig
    stream = SpikeStream.open(path)
    assert stream.shape == held.shape and stream.offset_s == -LATE_S
    assert (stream[:] == held).all()
    told = SpikeStream.open(path, rate_hz="8k", offset_s=0.5)
    assert (told.rate_hz, told.offset_s) == (8000, Fraction(1, 2))
    assert told.settings.homography == HOMOGRAPHY


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_pictures_are_read_like_a_video(dtype):
    whole = np.random.default_rng(0).random((4, 6, 8, 3))
    scale = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    given = (whole * scale).astype(dtype)
    for pictures in (given, list(given), iter(given)):
        source = Pictures(pictures, Fraction(30))
        read = list(source.opened())
        assert [frame.span for frame in read] == [
            (Fraction(n, 30), Fraction(1, 30)) for n in range(4)
        ]
        back = np.stack([in_depth(frame.rgb, source.dtype) for frame in read])
        assert back.dtype == dtype
        np.testing.assert_allclose(back, given, atol=1e-5, rtol=0)
    once = Pictures(iter(given), Fraction(30))
    assert len(list(once.opened())) == 4
    with pytest.raises(UsageError, match="only once"):
        once.opened()
    part = Pictures(given, Fraction(30)).opened(Fraction(1, 30), Fraction(3, 30))
    assert part.info.frame_count_estimate == 2
    assert [(frame.index, frame.time) for frame in part] == [
        (0, Fraction(1, 30)),
        (1, Fraction(2, 30)),
    ]


@pytest.mark.parametrize(
    ("pictures", "error", "words"),
    [
        (np.zeros((0, 4, 4, 3), np.uint8), InputError, "no frame"),
        (np.zeros((4, 4, 3), np.uint8), UsageError, r"frames\[None\]"),
        (np.zeros((2, 4, 4), np.uint8), UsageError, "frames.None"),
        (np.zeros((2, 4, 4, 4), np.uint8), UsageError, "three colours"),
        (np.zeros((2, 4, 4, 3), np.int32), UsageError, "int32 seen"),
        (np.full((2, 4, 4, 3), 200.0), InputError, "200 seen"),
        (np.full((2, 4, 4, 3), np.nan), InputError, "nan seen"),
        ([np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)], InputError, "frame 1 is"),
        ([], InputError, "no frame"),
    ],
)
def test_what_is_no_video_is_said_in_one_line(pictures, error, words):
    with pytest.raises(error, match=words):
        list(Pictures(pictures, Fraction(30)))


@pytest.mark.parametrize(
    ("spikes", "error", "words"),
    [
        (np.zeros((5, 4), bool), UsageError, "ticks, height, width"),
        (np.zeros((5, 4, 4), np.float32), UsageError, "float32"),
        (np.full((5, 4, 4), 2, np.uint8), InputError, "2 seen"),
    ],
)
def test_what_are_no_spikes_is_said_in_one_line(spikes, error, words):
    with pytest.raises(error, match=words):
        SpikeStream.of_array(spikes, RecordingSettings(rate_hz=20_000))[:]
    with pytest.raises(UsageError, match="rate_hz"):
        SpikeStream.of_array(np.zeros((5, 4, 4), bool), RecordingSettings())
