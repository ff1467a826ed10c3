"""The other commands: voxelize, info, simulate, train, benchmark."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
import tifffile

from spikedeblur.cli.main import main
from spikedeblur.io.spikes.stream import SpikeStream
from tests.recordings import HEIGHT, RATE, TICKS, WIDTH


class TestVoxelize:
    def test_tiff_holds_every_spike_in_its_frame(self, recording, tmp_path):
        out = tmp_path / "v.tif"
        assert (
            main(
                [
                    "voxelize",
                    str(recording.spikes),
                    "--video",
                    str(recording.blurry),
                    "-o",
                    str(out),
                    "--bins",
                    "8",
                ]
            )
            == 0
        )
        grids = tifffile.imread(out)
        assert grids.shape == (7, 8, HEIGHT // 2, WIDTH // 2) and grids.dtype == np.float32
        with SpikeStream.open(
            recording.spikes, width=WIDTH // 2, height=HEIGHT // 2, rate_hz=RATE * TICKS
        ) as stream:
            planes = stream[:].reshape(7, 8, TICKS // 8, HEIGHT // 2, WIDTH // 2)
        np.testing.assert_array_equal(grids, planes.sum(2))
        with tifffile.TiffFile(out) as tiff:
            assert tiff.series[0].axes == "TZYX"
            said = json.loads(tiff.pages[0].description)
        assert (said["rate_hz"], said["exposure_s"], said["bins"]) == (RATE * TICKS, 1 / RATE, 8)

    def test_a_frame_rate_gives_the_same_as_the_video(self, recording, tmp_path):
        for name, args in (
            ("a.npy", ["--video", str(recording.blurry)]),
            ("b.npy", ["--frames-per-second", str(RATE)]),
        ):
            assert main(["voxelize", str(recording.spikes), *args, "-o", str(tmp_path / name)]) == 0
        np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))

    def test_without_exposures_it_asks_for_them(self, recording, tmp_path, capsys):
        out = ["-o", str(tmp_path / "v.tif")]
        assert main(["voxelize", str(recording.spikes), *out]) == 2
        assert "--frames-per-second" in capsys.readouterr().err
        assert main(["voxelize", str(recording.spikes), *out, "--frames-per-second", "1"]) == 1
        assert (
            main(
                [
                    "voxelize",
                    str(recording.spikes),
                    "--frames-per-second",
                    "50",
                    "-o",
                    str(tmp_path / "v.txt"),
                ]
            )
            == 2
        )
        assert list(tmp_path.iterdir()) == []

    def test_an_existing_file_is_kept(self, recording, tmp_path):
        (tmp_path / "v.tif").write_text("precious")
        args = [
            "voxelize",
            str(recording.spikes),
            "--frames-per-second",
            "50",
            "-o",
            str(tmp_path / "v.tif"),
        ]
        assert main(args) == 1
        assert (tmp_path / "v.tif").read_text() == "precious"
        assert main([*args, "-y"]) == 0


class TestInfo:
    def kinds(self, capsys, *paths) -> list[dict[str, object]]:
        assert main(["info", "--json", *map(str, paths)]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def test_it_tells_files_apart(self, recording, tmp_path, capsys, tiny_weights):
        main(
            [
                "voxelize",
                str(recording.spikes),
                "--frames-per-second",
                "50",
                "-o",
                str(tmp_path / "v.tif"),
            ]
        )
        found = self.kinds(
            capsys,
            recording.blurry,
            recording.spikes,
            tmp_path / "v.tif",
            tiny_weights,
            recording.spikes.with_suffix(".toml"),
        )
        assert [each["kind"] for each in found] == [
            "video",
            "spikes",
            "voxels",
            "weights",
            "sidecar",
        ]
        video, spikes, voxels, weights, _ = found
        assert (video["width"], video["height"], video["fps"]) == (WIDTH, HEIGHT, RATE)
        assert (spikes["ticks"], spikes["rate_hz"]) == (7 * TICKS, RATE * TICKS)
        assert (voxels["frames"], voxels["bins"]) == (7, 32)
        assert weights["uses_spikes"] is True and weights["window"] == 5

    def test_spikes_of_unknown_size(self, tmp_path, capsys):
        (tmp_path / "s.dat").write_bytes(bytes(12500 * 3))
        [found] = self.kinds(capsys, tmp_path / "s.dat")
        assert "400x250" in found["sizes_that_fit"]

    def test_an_image_is_a_video_of_one_frame(self, tmp_path, capsys):
        tifffile.imwrite(tmp_path / "p.tif", np.zeros((32, 48, 3), np.uint8), photometric="rgb")
        [found] = self.kinds(capsys, tmp_path / "p.tif")
        assert (found["kind"], found["frames_estimate"]) == ("video", 1)

    def test_one_bad_file_does_not_hide_the_others(self, recording, capsys):
        assert main(["info", "nowhere", str(recording.blurry)]) == 1
        out, err = capsys.readouterr()
        assert "nowhere" in err and re.search(r"blurry.mkv: video\n", out)


class TestBenchmark:
    @pytest.fixture(autouse=True)
    def in_this_process(self, monkeypatch):
        """A process for each method would take a second or two."""
        monkeypatch.setenv("SPIKEDEBLUR_BENCHMARK_ISOLATE", "0")

    def test_json_holds_a_row_for_each_case_and_method(self, recording, capsys):
        assert main(["benchmark", str(recording.folder), "--methods", "blurry,sdm", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert {"machine", "cases"} <= found.keys()
        blurry, sdm = found["cases"]
        assert {
            "case",
            "method",
            "psnr",
            "ssim",
            "temporal",
            "seconds_per_frame",
            "peak_rss_mb",
        } <= blurry.keys()
        assert (blurry["method"], sdm["method"]) == ("blurry", "sdm")
        assert sdm["psnr"] > blurry["psnr"] + 1 and sdm["ssim"] > blurry["ssim"]

    def test_the_table_is_data(self, recording, capsys):
        assert main(["benchmark", str(recording.folder), "--methods", "blurry"]) == 0
        out, err = capsys.readouterr()
        assert "PSNR" in out and "blurry" in out and err == ""

    def test_speed_needs_no_files(self, capsys, tiny_weights):
        assert (
            main(
                [
                    "benchmark",
                    "--speed",
                    "--size",
                    "64x48",
                    "--size",
                    "32x32",
                    "--repeats",
                    "2",
                    "--warm-up",
                    "1",
                    "--methods",
                    "sdm,net",
                    "--weights",
                    str(tiny_weights),
                    "--json",
                ]
            )
            == 0
        )
        rows = json.loads(capsys.readouterr().out)["cases"]
        assert [(row["case"], row["method"]) for row in rows] == [
            ("32x32", "sdm"),
            ("32x32", "net"),
            ("64x48", "sdm"),
            ("64x48", "net"),
        ]
        assert all(row["seconds_per_frame"] > 0 and row["psnr"] is None for row in rows)

    def test_speed_says_what_it_leaves_out(self, capsys):
        quick = ["benchmark", "--speed", "--size", "32x32", "--repeats", "1", "--warm-up", "0"]
        assert main([*quick, "--methods", "blurry,tfi,sdm"]) == 0
        assert "leaves out blurry, tfi" in capsys.readouterr().err
        assert main([*quick, "--methods", "blurry"]) == 2

    @pytest.mark.parametrize("has_bf16", [True, False])
    def test_speed_of_the_network_alone(self, has_bf16, capsys, tmp_path, monkeypatch):
        monkeypatch.setattr("spikedeblur.benchmark.operations.CONV_SHAPE", (2, 16, 2, 8, 8))
        monkeypatch.setattr("spikedeblur.benchmark.speed.computes_bf16", lambda device: has_bf16)
        config = tmp_path / "tiny.yaml"
        config.write_text(
            "DATA: {CLIP_LEN: 2}\nMODEL:\n  CHANNELS_PER_SCALE: [8, 8, 8, 8]\n  VRT:"
            f" {{EMBED_DIMS: {[8] * 11}, NUM_HEADS: {[2] * 11}, DEPTHS: {[1] * 11},"
            " PA_FRAMES: 0, MUL_ATTN_RATIO: 0}\n"
        )
        quick = [
            "benchmark",
            "--speed",
            "--config",
            str(config),
            "--size",
            "48x32",
            "--repeats",
            "1",
        ]
        assert main([*quick, "--size", "32x32", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)["cases"]
        assert [(row["case"], row["precision"]) for row in rows] == [
            (size, precision) for size in ("48x32", "32x32") for precision in ("fp32", "bf16")
        ]
        assert all(row["frames"] == 2 for row in rows)
        assert all(row["seconds_per_frame"] > 0 for row in rows[::2])
        if has_bf16:
            assert rows[1]["psnr_to_fp32"] > 20 and rows[1]["speed_to_fp32"] > 0
            return
        assert "no instructions for bf16" in rows[1]["skipped"]
        assert main(quick) == 0
        out, err = capsys.readouterr()
        assert out.splitlines()[-1].startswith("bf16 was not measured: this CPU") and err == ""

    def test_speed_of_given_weights_in_one_precision(self, capsys, tiny_weights, monkeypatch):
        monkeypatch.setattr("spikedeblur.benchmark.operations.CONV_SHAPE", (2, 16, 2, 8, 8))
        assert (
            main(
                [
                    "benchmark",
                    "--speed",
                    "--size",
                    "48x32",
                    "--repeats",
                    "1",
                    "--weights",
                    str(tiny_weights),
                    "--frames",
                    "3",
                    "--precision",
                    "fp32",
                ]
            )
            == 0
        )
        out, err = capsys.readouterr()
        assert "48x32" in out and "conv3d" in out and "bf16" not in out and err == ""

    @pytest.mark.parametrize(
        "args",
        [
            ["--config", "small"],
            ["--speed", "--config", "smal"],
            ["--speed", "--frames", "0"],
            ["--speed", "--config", "small", "--weights", "small"],
            ["--speed", "--config", "small", "--methods", "sdm,net"],
            ["--speed", "--config", "small", "--threads", "1", "--threads", "2"],
            ["--speed", "--frames", "2", "--tile", "64"],
            ["--speed", "--config", "small", "--precision", "fp16", "--device", "cpu"],
        ],
    )
    def test_usage_of_speed(self, args, capsys):
        assert main(["benchmark", *args]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("spikedeblur: error: ")

    @pytest.mark.parametrize(
        "args", [["--methods", "magic"], ["--methods", ","], ["--size", "big"], ["--tile", "7"]]
    )
    def test_usage(self, args):
        assert main(["benchmark", *args]) == 2

    def test_a_folder_that_is_no_case(self, tmp_path, capsys):
        assert main(["benchmark", str(tmp_path), "--methods", "blurry"]) == 1
        assert "no case" in capsys.readouterr().err


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


def test_train_passes_on_what_it_was_told(monkeypatch, tmp_path, capsys):
    from spikedeblur.training.events import Record, Saved

    def run_training(
        config, *, photos, data, layout, val, pool, output, resume, init, device, report
    ):
        assert (photos, data, layout, val, pool) == (tmp_path, None, None, None, None)
        assert (resume, device) == (True, "cpu")
        assert (config.TRAIN.STEPS, config.TRAIN.SEED, config.TRAIN.PRECISION) == (3, 9, "bf16")
        report(Record(step=2, loss=0.25, lr=1e-3, seconds=0.5, wait=0.0, psnr=30.5))
        report(Saved(2))

    monkeypatch.setattr("spikedeblur.training.run.run_training", run_training)
    assert (
        main(
            [
                "-v",
                "train",
                "--photos",
                str(tmp_path),
                "-o",
                str(tmp_path / "run"),
                "--resume",
                "--set",
                "TRAIN.STEPS=3",
                "--seed",
                "9",
                "--precision",
                "bf16",
                "--device",
                "cpu",
            ]
        )
        == 0
    )
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (
        "spikedeblur: step 2: loss 0.25000, 30.50 dB, rate 1.00e-03, "
        "0.50 s a step, 0.0% of it waiting for data"
    )
    assert lines[1] == "spikedeblur: step 2: state saved" and "best.safetensors" in lines[2]


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--photos", "a", "--data", "b"],
        ["--photos", "a", "--set", "TRAIN.STEPZ=1"],
        ["nowhere.yaml"],
        ["--photos", "a", "--layout", "s-sdm"],
        ["--data", "a", "--layout", "gopro"],
    ],
)
def test_train_usage(args, tmp_path):
    assert main(["train", *args, "-o", str(tmp_path / "run")]) == 2


class TestSample:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch, recording):
        """The small recording in the sample's place, which takes a while to draw and record."""

        def make_sample(folder, overwrite=False):
            shutil.copytree(recording.folder, folder, dirs_exist_ok=overwrite)

        monkeypatch.setattr("spikedeblur.sample.make_sample", make_sample)
        monkeypatch.setattr("spikedeblur.benchmark.cases.make_sample", make_sample)

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
