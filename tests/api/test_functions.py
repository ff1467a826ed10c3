"""Every command as a function of its name."""

from __future__ import annotations

import numpy as np
import pytest

import spikedeblur
from spikedeblur import SpikeStream
from spikedeblur.cli.main import COMMANDS, main
from spikedeblur.errors import CallError, InputError, UsageError
from tests.recordings import RATE, TICKS
from tests.training.pictures import noise_photo, write_png
from tests.training.tiny_run import SMALLEST


def test_every_command_that_makes_or_measures_has_its_function():
    for name in set(COMMANDS) - {"join", "config"}:
        assert name in spikedeblur.__all__ and callable(getattr(spikedeblur, name)), name


def test_info_is_what_the_command_says(recording, tiny_weights):
    found = spikedeblur.info(recording.spikes)
    assert (found["kind"], found["width"], found["rate_hz"]) == ("spikes", 24, RATE * TICKS)
    assert spikedeblur.info(recording.spikes, rate_hz="8k")["rate_hz"] == 8000
    assert "<td>24</td>" in found._repr_html_()
    assert spikedeblur.info(tiny_weights)["kind"] == "weights"
    with pytest.raises(InputError, match="there is no file"):
        spikedeblur.info(recording.folder / "none.dat")
    with pytest.raises(CallError, match="did you mean rate_hz"):
        spikedeblur.info(recording.spikes, rate=3)


def test_voxelize_takes_one_exposure_or_those_of_all_frames(arrays, recording, tmp_path):
    blurry, _, spikes = arrays
    stream = SpikeStream.open(recording.spikes)
    one = spikedeblur.voxelize(stream, bins=4, start=0, stop=TICKS)
    assert one.shape == (4, 16, 24) and one.sum() == spikes[:TICKS].sum()
    every = spikedeblur.voxelize(recording.spikes, 4, frames=recording.blurry)
    assert every.shape == (7, 4, 16, 24)
    np.testing.assert_array_equal(every[0], one)
    for given in (
        spikedeblur.voxelize(spikes, 4, frames=blurry, fps=RATE, rate_hz=RATE * TICKS),
        spikedeblur.voxelize(stream, 4, fps=f"{RATE}Hz"),
    ):
        np.testing.assert_array_equal(given, every)
    command = ["voxelize", str(recording.spikes), "--video", str(recording.blurry), "--bins", "4"]
    assert main([*command, "-o", str(tmp_path / "a.npy")]) == 0
    written = spikedeblur.voxelize(stream, 4, frames=recording.blurry, output=tmp_path / "b.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(written))
    with pytest.raises(CallError, match="give frames, or fps"):
        spikedeblur.voxelize(stream, output=tmp_path / "c.npy")


def test_score_takes_floats_too(arrays):
    blurry, sharp, _ = arrays
    of_bytes = spikedeblur.score(blurry, sharp)
    of_floats = spikedeblur.score(blurry / 255, (sharp / 255).astype(np.float32))
    assert of_floats.psnr == pytest.approx(of_bytes.psnr, abs=1e-3)
    assert "psnr" in of_bytes._repr_html_()


def test_benchmark_gives_the_figures_of_the_command(recording):
    seen = []
    found = spikedeblur.benchmark(
        recording.folder,
        methods="blurry,sdm",
        repeats=1,
        warm_up=0,
        progress=lambda *done: seen.append(done),
    )
    assert [row["method"] for row in found["cases"]] == ["blurry", "sdm"]
    assert found["cases"][1]["psnr"] > found["cases"][0]["psnr"] + 3
    assert seen == [(1, 2), (2, 2)] and "sdm" in found._repr_html_()


def test_align_asks_for_what_it_knows_and_reads_arrays(arrays):
    blurry, _, spikes = arrays
    with pytest.raises(CallError, match="give offset, exposure, homography"):
        spikedeblur.align(blurry, spikes, fps=RATE, rate_hz=RATE * TICKS, fix={"rate": 3})
    with pytest.raises(UsageError, match="invertible"):
        spikedeblur.align(blurry, spikes, fps=RATE, rate_hz=1, fix={"homography": [0] * 9})
    still, quiet = np.full_like(blurry, 90), np.zeros_like(spikes)
    with pytest.raises(InputError, match="cannot tell"):
        spikedeblur.align(still, quiet, fps=RATE, rate_hz=RATE * TICKS)


@pytest.mark.slow
def test_train_gives_weights_that_deblur_takes(arrays, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        write_png(photos / f"{number}.png", noise_photo(number, 96, 128))
    settings = {
        f"{section}.{key}" if not isinstance(value, dict) else f"{section}.{key}.{inner}": each
        for section, values in SMALLEST.items()
        for key, value in values.items()
        for inner, each in (value if isinstance(value, dict) else {"": value}).items()
    }
    steps, records = [], []
    run = spikedeblur.train(
        "small",
        photos=photos,
        output=tmp_path / "run",
        settings={**settings, "MODEL.REFINER": None, "TRAIN.STEPS": 2},
        device="cpu",
        progress=lambda done, all_of_them: steps.append((done, all_of_them)),
        report=records.append,
    )
    assert steps == [(1, 2), (2, 2)] and records and run.records
    assert run.best.is_file() and run.last.is_file() and "loss" in run._repr_html_()
    blurry, _, spikes = arrays
    sharp = spikedeblur.deblur(
        blurry, spikes, rate_hz=RATE * TICKS, fps=RATE, weights=run.best, device="cpu"
    )
    assert sharp.shape == blurry.shape and sharp.dtype == blurry.dtype


def test_train_speaks_of_its_keywords(tmp_path):
    with pytest.raises(CallError, match="one of photos and data"):
        spikedeblur.train(output=tmp_path / "run")
    with pytest.raises(CallError, match="did you mean photos"):
        spikedeblur.train(photo=tmp_path, output=tmp_path / "run")
    with pytest.raises(UsageError, match=r"did you mean TRAIN\.STEPS"):
        spikedeblur.train(photos=tmp_path, output=tmp_path / "run", settings={"TRAIN.STEP": 3})
    with pytest.raises(CallError, match=r"photos cannot be ndarray .* give str or Path") as caught:
        spikedeblur.train(photos=np.zeros((9, 64, 64, 3), np.uint8), output=tmp_path / "run")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="threads"):
        spikedeblur.train(photos=tmp_path, output=tmp_path / "run", threads=0)
    with pytest.raises(CallError, match="cases cannot be ndarray"):
        spikedeblur.benchmark(np.zeros((9, 64, 64, 3), np.uint8))
    assert not (tmp_path / "run").exists()
