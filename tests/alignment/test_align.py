"""Rigs with clocks and planes of their own, through the command line, against the truth."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from spikedeblur.alignment.estimation import Aligner
from spikedeblur.alignment.findings import Alignment, Errors, Known
from spikedeblur.alignment.footage import read_footage
from spikedeblur.cli.main import main
from spikedeblur.io.image_files import read_image
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import read_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.spikes.stream import SpikeStream, write_dat
from spikedeblur.quantities import Exposure
from tests.alignment.rigs import Rig, mean_distance, random_rig, record

SMALL = Rig(
    size=(160, 120),
    spike_size=(96, 72),
    rate_hz=2500,
    frames=10,
    exposure=0.6,
    offset=-1.7,
    zoom=0.85,
    angle=3.0,
    shift=(0.06, -0.04),
    blur=8.0,
    seed=5,
)


def called(rig, folder, *more):
    width, height = rig.spike_size
    return main(
        [
            "align",
            str(folder / "blurry.mkv"),
            "--spikes",
            str(folder / "spikes.dat"),
            "--spike-size",
            f"{width}x{height}",
            "--spike-rate",
            str(rig.rate_hz),
            *more,
        ]
    )


def errors(rig, sidecar):
    """Of offset and exposure, in frame intervals, and of the homography in video pixels."""
    return (
        float(sidecar.offset_s) * rig.fps - rig.offset,
        float(sidecar.exposure.value) * rig.fps - rig.exposure,
        mean_distance(rig, sidecar.homography),
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return record(SMALL, tmp_path_factory.mktemp("rig"))


@pytest.mark.parametrize(
    "quarters,mirrored",
    [
        (1, False),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in ((2, False), (3, False), (0, True), (1, True), (3, True))
        ),
    ],
)
def test_turned_and_mirrored_cameras_are_found(quarters, mirrored, small, tmp_path):
    """With no word of it, as where a video has a rotation flag or spikes look into a mirror."""
    width, height = SMALL.spike_size
    with SpikeStream.open(
        small / "spikes.dat", width=width, height=height, rate_hz=SMALL.rate_hz
    ) as stream:
        planes = stream[:]
    numbers = np.arange(width * height).reshape(1, height, width)
    if mirrored:
        planes, numbers = planes[:, :, ::-1], numbers[:, :, ::-1]
    planes, numbers = (np.rot90(each, quarters, axes=(1, 2)) for each in (planes, numbers))
    shutil.copy(small / "blurry.mkv", tmp_path)
    write_dat(tmp_path / "spikes.dat", [planes])
    turned = replace(SMALL, spike_size=(planes.shape[2], planes.shape[1]))
    assert called(turned, tmp_path) == 0
    found = np.array(read_sidecar(tmp_path / "spikes.toml").homography).reshape(3, 3)
    rows, columns = np.indices(numbers.shape[1:])
    now = np.stack([columns.ravel(), rows.ravel(), np.ones(numbers.size)])
    then = np.stack([numbers.ravel() % width + 0.5, numbers.ravel() // width + 0.5, now[2]])
    seen, meant = found @ now, SMALL.matrix @ then
    away = np.abs(seen[:2] / seen[2] + 0.5 - meant[:2] / meant[2])
    assert np.linalg.norm(away, axis=0).mean() < 0.5


def test_a_rig_is_found(small, capsys):
    assert called(SMALL, small, "--json", "--preview", str(small / "overlay.png")) == 0
    said = json.loads(capsys.readouterr().out)
    found = read_sidecar(small / "spikes.toml")
    offset, exposure, distance = errors(SMALL, found)
    assert abs(offset) < 0.02 and abs(exposure) < 0.02 and distance < 0.5
    assert (found.width, found.height, found.rate_hz, found.flip) == (96, 72, 2500, True)
    assert said["output"] == str(small / "spikes.toml") and said["confidence"] > 0.9
    assert said["offset_s"] == pytest.approx(float(found.offset_s), abs=1e-7)
    assert abs(offset) < 4 * said["offset_error_s"] * SMALL.fps
    overlay = read_image(small / "overlay.png").astype(float)
    assert overlay.shape == (120, 160, 3)
    seams = np.abs(overlay[..., 0] - overlay[..., 1])
    assert np.median(seams) < 8 and np.array_equal(overlay[..., 1], overlay[..., 2])


def test_how_the_file_is_stored_is_said_again(tmp_path):
    np.savez(tmp_path / "s.npz", spk=np.zeros((4, 5, 6), bool), other=np.zeros(1))
    options = RecordingSettings(rate_hz=Fraction(2000), key="spk")
    source = resolve_spike_source(tmp_path / "s.npz", options)
    homography = (2.0, 0.0, 1.0, 0.0, 2.0, 1.0, 0.0, 0.0, 1.0)
    found = Alignment(
        replace(source, settings=replace(source.settings, layout="sps10")),
        -0.5,
        0.01,
        2000.0,
        homography,
        0.02,
        Errors(0, 0, 0),
        0.9,
        5,
        0.0,
    ).sidecar()
    assert found == RecordingSettings(
        width=6,
        height=5,
        rate_hz=Fraction(2000),
        flip=False,
        bit_order="little",
        layout="sps10",
        key="spk",
        offset_s=Fraction(-1, 2),
        exposure=Fraction(1, 100),
        homography=homography,
    )


def test_what_exists_is_kept(small, tmp_path, capsys):
    out = tmp_path / "precious.toml"
    out.write_text("width = 1")
    assert called(SMALL, small, "-o", str(out)) == 1
    assert "-y" in capsys.readouterr().err and out.read_text() == "width = 1"


@pytest.mark.parametrize(
    ("output", "preview", "status", "complaint"),
    [
        ("nowhere/s.toml", "overlay.png", 1, "folder does not exist"),
        ("s.toml", "nowhere/overlay.png", 1, "folder does not exist"),
        ("s.toml", "overlay.jpg", 2, "PNG or TIFF"),
    ],
)
def test_what_cannot_be_written_is_not_searched_for(
    output, preview, status, complaint, small, tmp_path, capsys
):
    assert (
        called(SMALL, small, "-o", str(tmp_path / output), "--preview", str(tmp_path / preview))
        == status
    )
    assert complaint in (error := capsys.readouterr().err) and "searching" not in error
    assert not list(tmp_path.iterdir())


def test_spikes_that_are_not_there(tmp_path, capsys):
    assert called(SMALL, tmp_path / "nowhere") == 1
    assert "spike file not found" in capsys.readouterr().err


def test_a_known_rig_is_found_again_on_a_part_of_the_sensor(small, tmp_path):
    """A crop moves the pixels that are read, not the homography, which counts on the sensor."""
    shutil.copy(small / "spikes.dat", tmp_path)
    shutil.copy(small / "blurry.mkv", tmp_path)
    (tmp_path / "spikes.toml").write_text(
        "width = 96\nheight = 72\nrate_hz = 2500.0\ncrop = [8, 6, 80, 60]\n"
    )
    homography = ",".join(map(str, SMALL.homography))
    assert called(SMALL, tmp_path, "-y", "--fix", f"homography={homography}") == 0
    found = read_sidecar(tmp_path / "spikes.toml")
    offset, exposure, distance = errors(SMALL, found)
    assert abs(offset) < 0.02 and abs(exposure) < 0.02 and distance < 1e-3
    assert found.crop == (8, 6, 80, 60) and (found.width, found.height) == (96, 72)


def test_what_is_known_is_kept(small, tmp_path, capsys):
    out = tmp_path / "s.toml"
    assert (
        called(
            SMALL,
            small,
            "-o",
            str(out),
            "--json",
            "--fix",
            "exposure=0.6x",
            "--fix",
            "offset=-0.034",
        )
        == 0
    )
    said, found = json.loads(capsys.readouterr().out), read_sidecar(out)
    assert (found.exposure.value, found.offset_s) == (Fraction(12, 1000), Fraction(-34, 1000))
    assert said["exposure_error_s"] == said["offset_error_s"] == 0 < said["homography_error_px"]
    assert mean_distance(SMALL, found.homography) < 0.5


@pytest.mark.parametrize(
    ("fix", "complaint"),
    [
        ("exposure=soon", "not an exposure"),
        ("rate=5", "cannot be fixed"),
        ("homography=1,2,3", "not a homography"),
        ("offset", "not KEY=VALUE"),
    ],
)
def test_what_cannot_be_fixed(fix, complaint, small, capsys):
    assert called(SMALL, small, "--fix", fix) == 2
    assert complaint in capsys.readouterr().err


def test_the_search_begins_at_the_exposure_that_is_said(small, tmp_path):
    footage = read_footage(small / "blurry.mkv")
    for said, noted, begins in (
        (None, None, 0.7),
        (Exposure(Fraction(1, 100)), None, 0.5),
        (None, Fraction(8, 1000), 0.4),
    ):
        options = RecordingSettings(size=(96, 72), rate_hz=Fraction(2500), exposure=said)
        source = resolve_spike_source(
            small / "spikes.dat", options, RecordingSettings(exposure=noted)
        )
        with source.open() as stream:
            assert Aligner(footage, source, stream, Known()).exposure == pytest.approx(begins)


@pytest.mark.parametrize(
    ("offset", "complaint"), [(0.15, "that have spikes"), (0.137, "that both cameras saw whole")]
)
def test_two_frames_are_too_few(offset, complaint, small, tmp_path, capsys):
    """Spikes that begin near the end of the video's 0.2 s."""
    homography = ",".join(map(str, SMALL.homography))
    assert (
        called(
            SMALL,
            small,
            "--fix",
            f"homography={homography}",
            "--fix",
            f"offset={offset}",
            "-o",
            str(tmp_path / "s.toml"),
        )
        == 1
    )
    assert f"fewer than 3 frames {complaint}" in capsys.readouterr().err
    assert not (tmp_path / "s.toml").exists()


def test_a_scene_that_stands_still_is_refused(tmp_path, capsys):
    still = Rig(size=(160, 120), spike_size=(96, 72), rate_hz=2500, frames=6, blur=0.0, seed=6)
    record(still, tmp_path)
    homography = ",".join(map(str, still.homography))
    assert called(still, tmp_path, "--fix", f"homography={homography}") == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("spikedeblur: error: cannot tell the ")
    assert not (tmp_path / "spikes.toml").exists()


@pytest.mark.slow
def test_a_scene_without_texture_is_refused(tmp_path, capsys):
    flat = Rig(size=(160, 120), spike_size=(96, 72), rate_hz=2500, frames=12, flat=True, seed=7)
    record(flat, tmp_path)
    assert called(flat, tmp_path) == 1
    assert "cannot tell" in capsys.readouterr().err
    assert not (tmp_path / "spikes.toml").exists()


@pytest.mark.slow
def test_clocks_that_drift_apart(tmp_path, capsys):
    """Three thousandths: far more than any clock does, so that two seconds are enough."""
    rig = Rig(
        size=(160, 120),
        spike_size=(96, 72),
        rate_hz=2500,
        frames=100,
        exposure=0.6,
        offset=2.3,
        zoom=0.9,
        angle=2.0,
        drift=0.003,
        seed=8,
    )
    record(rig, tmp_path)
    assert called(rig, tmp_path) == 1
    assert "give --drift" in capsys.readouterr().err
    assert called(rig, tmp_path, "--drift") == 0
    found = read_sidecar(tmp_path / "spikes.toml")
    assert float(found.rate_hz) == pytest.approx(2500 * 1.003, rel=1e-4)
    offset, exposure, distance = errors(rig, found)
    assert abs(offset) < 0.02 and abs(exposure) < 0.02 and distance < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_averages_of_encoded_light_are_no_longer_exposures(seed, tmp_path, capsys):
    """As published sets have them: found or refused, but not got wrong."""
    rig = replace(SMALL, seed=seed, gamma_space=True)
    record(rig, tmp_path)
    if called(rig, tmp_path) == 1:
        assert "cannot tell" in capsys.readouterr().err
    else:
        offset, exposure, distance = errors(rig, read_sidecar(tmp_path / "spikes.toml"))
        assert abs(offset) < 0.02 and abs(exposure) < 0.02 and distance < 0.5


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(1000, 1040, 10))
def test_rigs_of_every_kind(first, tmp_path, capsys):
    """At least nine of ten are found; the others are refused, not got wrong."""
    found, refused, wrong = [], [], []
    for seed in range(first, first + 10):
        rig, folder = random_rig(seed, most_pixels=1e8), tmp_path / str(seed)
        record(rig, folder)
        if called(rig, folder) == 1:
            complaint = capsys.readouterr().err.splitlines()[-1]
            (refused if "cannot tell" in complaint else wrong).append((seed, complaint))
        else:
            off = errors(rig, read_sidecar(folder / "spikes.toml"))
            right = max(abs(off[0]), abs(off[1])) < 0.02 and off[2] < 0.5
            (found if right else wrong).append((seed, *np.round(off, 4).tolist()))
        shutil.rmtree(folder)
    print("found", *found, "refused", *refused, "wrong", *wrong, sep="\n")
    assert not wrong and len(refused) <= 1
