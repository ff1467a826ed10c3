"""A region is restored with what lies around it, and is then that part of the whole result."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from spikedeblur.api.deblurring import deblur
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.stream import SpikeStream, write_dat
from spikedeblur.io.video import VideoSelection, create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.quantities import parse_region
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.restoration.plan import plan_run
from tests.recordings import RATE, TICKS, frame_at

WIDTH, HEIGHT = 240, 192
REGIONS = ["21x17+93+87", "30x20+96+80", "40x27+200+165", "5x5+0+0"]
HALF, THIRD, ODD = (120, 96), (80, 64), (100, 80)  # 2, 3 and 2.4 pixels to a spike pixel
TURNED = (2.0, 0.02, 0.5, -0.02, 2.0, 0.5, 0.0, 0.0, 1.0)


def pictures(path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack([frame.rgb for frame in reader])


@pytest.fixture(scope="module")
def video(recording, tmp_path_factory):
    """The recording's wall, tiled; three frames."""
    path = tmp_path_factory.mktemp("wide") / "v.mkv"
    with (
        open_video(recording.blurry) as reader,
        create_video(path, VideoInfo.synthetic(WIDTH, HEIGHT, RATE)) as writer,
    ):
        for number, frame in zip(range(3), reader, strict=False):
            writer.write(frame_at(number, np.tile(frame.rgb, (6, 5, 1))))
    return path


@pytest.fixture(scope="module")
def spikes(recording, tmp_path_factory):
    """The recording's spikes, tiled or, for other sizes than half the video's, repeated."""
    folder = tmp_path_factory.mktemp("spikes")
    with SpikeStream.open(recording.spikes) as stream:
        planes = stream[: 3 * TICKS]
    for width, height in (HALF, THIRD, ODD):
        rows, columns = -(-height // planes.shape[1]), -(-width // planes.shape[2])
        tiled = np.tile(planes, (1, rows, columns))[:, :height, :width]
        write_dat(folder / f"{width}.dat", [tiled])
    return folder


def settings(size, homography=None) -> RecordingSettings:
    return RecordingSettings(
        size=size, rate_hz=RATE * TICKS, offset_s=Fraction(0), homography=homography
    )


@pytest.mark.parametrize(
    ("method", "size", "homography"),
    [
        ("sdm", HALF, None),
        ("sdm", THIRD, None),
        ("sdm", ODD, None),
        ("sdm", HALF, TURNED),
        ("tfi", HALF, None),
        ("tfp", ODD, None),
        ("tfp:0.25", HALF, TURNED),
        ("joint", HALF, None),
    ],
)
def test_a_region_is_that_part_of_the_whole(video, spikes, tmp_path, method, size, homography):
    """Of sdm to a code, for a float's last digit may round the other way; joint solves for all."""
    deblurrer, options = Deblurrer(method=method, threads=1), settings(size, homography)
    recorded = spikes / f"{size[0]}.dat"
    deblurrer.run(video, recorded, tmp_path / "w.mkv", spike_options=options)
    whole, blurry = pictures(tmp_path / "w.mkv").astype(int), pictures(video)
    assert np.abs(whole - blurry).mean() > 3
    for region in REGIONS:
        part = tmp_path / f"{region}.mkv"
        deblurrer.run(video, recorded, part, spike_options=options, region=region)
        cut = (slice(None), *parse_region(region).slices)
        apart = np.abs(pictures(part) - whole[cut])
        if method == "joint":
            assert apart.mean() < 0.3 * np.abs(whole - blurry)[cut].mean(), (region, apart.mean())
        else:
            assert apart.max() <= (method == "sdm"), region


@pytest.mark.parametrize(
    ("settings_of_method", "of_run"),
    [
        ({"slowmo": 2}, {}),
        ({"strength": 0.4}, {"compare": "side"}),
        ({}, {"instants": ["0.031", "0.027"], "compare": "split"}),
    ],
)
def test_whatever_else_is_asked_for(video, spikes, tmp_path, settings_of_method, of_run):
    if "instants" in of_run:
        of_run = of_run | {"instants": [Fraction(each) for each in of_run["instants"]]}
    deblurrer = Deblurrer(method="sdm", threads=1, **settings_of_method)
    for name, region in (("w", None), ("p", REGIONS[0])):
        deblurrer.run(
            video,
            spikes / f"{THIRD[0]}.dat",
            tmp_path / f"{name}.mp4",
            spike_options=settings(THIRD),
            region=region,
            codec="libx264rgb",
            crf=0,
            **of_run,
        )
    cut = (slice(None), *parse_region(REGIONS[0]).slices)
    whole, part = (pictures(tmp_path / f"{name}.mp4") for name in "wp")
    np.testing.assert_allclose(part, whole[cut], atol=1)
    if of_run.get("compare") == "side":
        both = pictures(tmp_path / "p_compare.mp4")
        np.testing.assert_array_equal(both[:, :, :21], pictures(video)[cut])
        np.testing.assert_array_equal(both[:, :, 21:], part)
    if of_run.get("compare") == "split":
        split = pictures(tmp_path / "p_compare.mp4")
        np.testing.assert_array_equal(split[:, :, :9], pictures(video)[cut][[1, 1], :, :9])
        np.testing.assert_array_equal(split[:, :, 12:], part[:, :, 12:])


def test_frames_without_spikes_pass_unchanged(video, spikes, tmp_path):
    """Spikes that begin with the second frame."""
    late = RecordingSettings(size=HALF, rate_hz=RATE * TICKS, offset_s=Fraction(1, RATE))
    cut = (slice(None), *parse_region(REGIONS[0]).slices)
    output = tmp_path / "p.mkv"
    tally = Deblurrer(method="sdm", threads=1).run(
        video, spikes / f"{HALF[0]}.dat", output, spike_options=late, region=REGIONS[0]
    )
    assert tally.uncovered == 1
    np.testing.assert_array_equal(pictures(output)[0], pictures(video)[cut][0])


@pytest.mark.parametrize(
    ("region", "exact"), [("20x17+94+86", True), ("20x17+95+86", False)], ids=["even", "odd"]
)
def test_frames_without_spikes_keep_the_codes_of_halved_chroma(spikes, tmp_path, region, exact):
    """Of noise, which no way through RGB leaves as it is; but for a part that cuts its samples."""
    source, output = tmp_path / "v.mkv", tmp_path / "p.mkv"
    codes = np.random.default_rng(1).integers(0, 256, (3, HEIGHT * 3 // 2, WIDTH), np.uint8)
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", RATE, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p")
        for each in codes:
            picture = av.VideoFrame.from_ndarray(each, format="yuv420p")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    late = RecordingSettings(size=HALF, rate_hz=RATE * TICKS, offset_s=Fraction(2, RATE))
    tally = Deblurrer(method="sdm", threads=1).run(
        source, spikes / f"{HALF[0]}.dat", output, spike_options=late, region=region, codec="ffv1"
    )
    assert tally.uncovered == 2
    with av.open(str(output)) as container:
        frame = next(container.decode(video=0))
    found = [
        np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes
    ]
    luma = codes[0, :HEIGHT][parse_region(region).slices]
    colour = codes[0, HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)[:, 43:52, 47:57]
    assert np.array_equal(found[0], luma) == exact
    assert np.array_equal(found[1:], colour) == exact


def test_frames_that_can_be_read_only_once(video, spikes):
    blurry = pictures(video)
    recorded, (width, height) = spikes / f"{THIRD[0]}.dat", THIRD
    with SpikeStream.open(recorded, width=width, height=height, rate_hz=RATE * TICKS) as stream:
        planes = stream[:]
    keywords = {"rate_hz": RATE * TICKS, "fps": RATE, "method": "sdm", "threads": 1}
    whole = deblur(blurry, planes, **keywords)
    expected = whole[(slice(None), *parse_region(REGIONS[0]).slices)]
    for frames in (blurry, iter(blurry)):
        part = np.asarray(deblur(frames, planes, region=REGIONS[0], **keywords))
        np.testing.assert_allclose(part, expected, atol=1)


def test_the_plan_is_of_what_is_written(video, spikes, tmp_path):
    selection = VideoSelection(region=parse_region(REGIONS[0]))
    recorded, output = spikes / f"{THIRD[0]}.dat", tmp_path / "p.mkv"
    deblurrer = Deblurrer(method="sdm", threads=1)
    plan = plan_run(
        deblurrer, video, recorded, output, spike_options=settings(THIRD), selection=selection
    )
    figures = plan.figures()
    assert (figures["width_px"], figures["height_px"]) == (21, 17)
    # 93 to 114 and 87 to 104, with 32 around, in steps of 48
    assert (plan.info.width, plan.info.height, plan.exposures.size) == (144, 96, (48, 32))
    assert plan.trial is not None and plan.trial.output_bytes > 0
