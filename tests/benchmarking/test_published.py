"""Published sets: the test part, frame by frame, as papers count; and results that are kept."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

import spikedeblur
from spikedeblur import classical
from spikedeblur.benchmarking import kept
from spikedeblur.benchmarking.published import published_sequences
from spikedeblur.cli.main import main
from spikedeblur.errors import InputError
from spikedeblur.restoration.pipeline import Deblurrer
from tests.training import trees
from tests.training.pictures import noise_photo

SETS = {"spk-gopro": trees.spk_gopro, "spk-x4k": trees.spk_x4k, "s-sdm": trees.s_sdm}


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Of bytes, over all three colours."""
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def measured(capsys, *arguments: str) -> dict:
    capsys.readouterr()
    assert main(["benchmark", *arguments, "--no-isolate", "--repeats", "1", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", SETS)
def test_the_blurry_frames_of_the_test_part_score_as_their_files_do(name, tmp_path, capsys):
    SETS[name](tmp_path)
    found = measured(capsys, str(tmp_path), "--methods", "blurry")
    (row,) = found["cases"]
    numbers = range(2, 22) if name == "spk-x4k" else range(3)  # ticks with a whole exposure
    expected = [psnr(noise_photo(100 + n, 24, 32), noise_photo(150 + n, 24, 32)) for n in numbers]
    assert (row["protocol"], row["frames"]) == (name, len(numbers))
    assert row["psnr"] == pytest.approx(np.mean(expected), abs=1e-3)
    assert sorted(row["psnr_of_frames"]) == pytest.approx(sorted(expected), abs=1e-3)
    assert row["group"] == ("spk-x4k 5" if name == "spk-x4k" else name)


def test_sdm_sees_the_ticks_that_the_frame_was_exposed_to(tmp_path):
    """Of s-sdm: the middle 97 of 137, on a quarter of the plane."""
    trees.s_sdm(tmp_path)
    (job,) = published_sequences(tmp_path)
    (first, *_) = job.frames(Deblurrer(method="tfp:1"))
    spikes = trees.random_spikes(137, 4, 100)[20:117]
    rate = spikes.sum(axis=0)
    counts = np.broadcast_to(rate / 32, (32, *rate.shape)).astype(np.float32)
    expected = classical.tfp(noise_photo(100, 24, 32) / np.float32(255), counts, 0.0, 1.0)
    np.testing.assert_allclose(first.rgb, np.rint(expected.clip(0, 1) * 255), atol=1)


def test_neighbours_of_a_frame_are_exposed_before_and_after_it(tmp_path):
    """The blurry frames of spk-x4k overlap; each is restored once, truth in the same order."""
    trees.spk_x4k(tmp_path, length=7)
    (job,) = published_sequences(tmp_path)
    starts = [each.start for run in job.runs for each in run]
    assert sorted(starts) == list(range(18))
    for run in job.runs:
        assert all(one.stop <= other.start for one, other in pairwise(run))
    for blurry, sharp, start in zip(job.frames(None), job.truth(), starts, strict=True):
        tick = int(start) + 3
        np.testing.assert_array_equal(blurry.rgb, noise_photo(100 + tick, 24, 32))
        np.testing.assert_array_equal(sharp.rgb, noise_photo(150 + tick, 24, 32))


def test_means_are_over_frames(tmp_path, capsys):
    """A sequence of three frames and one of a single frame: as papers have it."""
    trees.s_sdm(tmp_path)
    for part in ("blur_data", "sharp_data", "spike_data"):
        (source, *_) = sorted((tmp_path / "test" / part / "GOPR1").iterdir())
        other = tmp_path / "test" / part / "GOPR9" / source.name
        other.parent.mkdir()
        if part == "sharp_data":  # a frame that is sharp already: 100 dB
            source = tmp_path / "test" / "blur_data" / "GOPR1" / source.name
        other.write_bytes(source.read_bytes())
    found = measured(capsys, str(tmp_path), "--methods", "blurry")
    of_frames = [value for row in found["cases"] for value in row["psnr_of_frames"]]
    (mean,) = found["means"]
    assert len(of_frames) == 4 and mean["psnr"] == pytest.approx(np.mean(of_frames), abs=1e-9)
    assert mean["psnr"] != pytest.approx(np.mean([row["psnr"] for row in found["cases"]]), abs=0.01)


def test_a_run_that_was_stopped_goes_on_with_what_is_left(tmp_path, capsys, monkeypatch):
    trees.spk_gopro(tmp_path / "a")
    trees.s_sdm(tmp_path / "b")
    call = [str(tmp_path / "a"), str(tmp_path / "b"), "--methods", "blurry,sdm"]
    keep = ["--keep", str(tmp_path / "kept.json")]
    done, real = [], kept.measure

    def counted(setup, jobs, *rest, **options):
        for job, result in zip(jobs, real(setup, jobs, *rest, **options), strict=True):
            if len(done) == 3:
                raise KeyboardInterrupt
            done.append((setup.method, job.name))
            yield result

    monkeypatch.setattr(kept, "measure", counted)
    assert main(["benchmark", *call, *keep, "--no-isolate", "--repeats", "1"]) == 130
    monkeypatch.setattr(kept, "measure", real)
    whole = measured(capsys, *call)["cases"]
    first = json.loads((tmp_path / "kept.json").read_text())["results"]
    assert len(first) == 3
    done.clear()
    monkeypatch.setattr(kept, "measure", counted)
    resumed = measured(capsys, *call, *keep)["cases"]
    assert done == [("sdm", "GOPR1")]
    figures = ("case", "method", "psnr", "ssim", "psnr_of_frames")
    assert [[row[name] for name in figures] for row in resumed] == [
        [row[name] for name in figures] for row in whole
    ]


def test_other_settings_and_a_case_made_anew_are_other_results(tmp_path, recording, capsys):
    keep = tmp_path / "kept.json"
    case = tmp_path / "case"
    case.mkdir()
    for path in recording.folder.iterdir():
        (case / path.name).write_bytes(path.read_bytes())
    for extra, held in (([], 1), ([], 1), (["--threads", "1"], 2)):
        measured(capsys, str(case), "--methods", "sdm", "--keep", str(keep), *extra)
        assert len(json.loads(keep.read_text())["results"]) == held
    spikes = case / recording.spikes.name
    spikes.write_bytes(spikes.read_bytes())
    measured(capsys, str(case), "--methods", "sdm", "--keep", str(keep))
    assert len(json.loads(keep.read_text())["results"]) == 3


def test_what_cannot_be_is_said_in_a_line(tmp_path, capsys):
    trees.s_sdm(tmp_path)
    assert main(["benchmark", str(tmp_path), "--methods", "tfi"]) == 2
    assert "leave it out" in capsys.readouterr().err
    other = tmp_path / "other.json"
    other.write_text("[]")
    assert main(["benchmark", str(tmp_path), "--methods", "blurry", "--keep", str(other)]) == 1
    assert "name another file" in capsys.readouterr().err
    (tmp_path / "test").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="lacks the test part of s-sdm"):
        published_sequences(tmp_path)
    assert published_sequences(tmp_path / "nowhere") == []


@pytest.mark.slow
def test_sets_are_measured_in_processes_of_their_own(tmp_path):
    trees.spk_gopro(tmp_path)
    found = spikedeblur.benchmark(tmp_path, methods="sdm,joint", repeats=1, isolate=True)
    assert [row["frames"] for row in found["cases"]] == [3, 3]
