"""simulate: cases out of sharp footage, and the bundled sample."""

from __future__ import annotations

import json
import shutil

import pytest

from spikedeblur.cli.main import main
from tests.training.pictures import photo_folder


def test_simulate_makes_a_case(recording, tmp_path, capsys):
    out = tmp_path / "case"
    assert (
        main(
            [
                "simulate",
                str(recording.sharp),
                "-o",
                str(out),
                "--fps",
                "25",
                "--spike-rate",
                "400",
                "--progress",
                "none",
            ]
        )
        == 0
    )
    assert {path.name for path in out.iterdir()} == {
        "blurry.mkv",
        "sharp.mkv",
        "spikes.dat",
        "spikes.toml",
    }
    assert main(["benchmark", str(out), "--methods", "sdm", "--json"]) == 0


def test_simulate_asks_for_the_frame_rate_of_an_exposure_in_seconds(recording, tmp_path):
    assert (
        main(["simulate", str(recording.sharp), "-o", str(tmp_path / "case"), "--exposure", "0.01"])
        == 2
    )


class TestSample:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch, recording):
        """The small recording in the sample's place, which takes a while to draw and record."""

        def make_sample(folder, overwrite=False):
            shutil.copytree(recording.folder, folder, dirs_exist_ok=overwrite)

        monkeypatch.setattr("spikedeblur.sample.make_sample", make_sample)
        monkeypatch.setattr("spikedeblur.benchmarking.cases.make_sample", make_sample)

    def test_simulate_knows_it_by_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert main(["simulate", "sample", "-o", "case"]) == 0
        assert (tmp_path / "case" / "spikes.dat").is_file()
        assert main(["simulate", "sample", "-o", "case", "-y"]) == 0

    def test_its_settings_are_fixed(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert main(["simulate", "sample", "-o", "case", "--fps", "3"]) == 2
        assert "fps" in capsys.readouterr().err

    def test_benchmark_takes_it_when_no_case_is_given(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert main(["benchmark", "--methods", "blurry", "--json"]) == 0
        [row] = json.loads(capsys.readouterr().out)["cases"]
        assert row["case"] == "sample" and row["psnr"] > 10
        assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_it_costs_and_makes_nothing(tmp_path, capsys):
    photos = photo_folder(tmp_path / "photos")
    command = ["simulate", str(photos), "-o", str(tmp_path / "out"), "--size", "64x48"]
    command += ["--frames", "40", "--fps", "50", "--spike-rate", "2000"]
    assert main([*command, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    facts = {"event": "plan", "frames": 40, "width_px": 64, "spike_height_px": 24, "rate_hz": 2000}
    assert facts.items() <= plan.items() and plan["seconds_estimate"] > 0
    assert not (tmp_path / "out").exists()
    assert main([*command, "--progress", "none"]) == 0
    assert "40 frames: about" in capsys.readouterr().err
    written = sum(each.stat().st_size for each in (tmp_path / "out").iterdir()) / 1e6
    assert plan["output_mb_estimate"] == pytest.approx(written, rel=0.3)
    assert main([*command, "--dry-run"]) == 1 and "-y" in capsys.readouterr().err
    assert main(["simulate", "sample", "-o", str(tmp_path / "s"), "--dry-run"]) == 2
