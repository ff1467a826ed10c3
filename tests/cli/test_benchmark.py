"""benchmark: rows of cases and methods, in tables and JSON."""

from __future__ import annotations

import csv
import json

import pytest

from spikedeblur.cli.main import main


class TestBenchmark:
    @pytest.fixture(autouse=True)
    def in_this_process(self, monkeypatch, small_convolution):
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
                    "1",
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
        found = json.loads(capsys.readouterr().out)
        rows = found["cases"]
        assert [(row["case"], row["method"]) for row in rows] == [
            ("32x32", "sdm"),
            ("32x32", "net"),
            ("64x48", "sdm"),
            ("64x48", "net"),
        ]
        for figure in ("seconds_per_frame", "end_to_end_seconds_per_frame", "conv3d_gflops"):
            assert all(row[figure] > 0 and row["psnr"] is None for row in rows)
        assert [(row["method"], row["sizes"]) for row in found["growth"]] == [
            ("sdm", 2),
            ("net", 2),
        ]
        assert all(isinstance(row["end_to_end_exponent"], float) for row in found["growth"])
        assert found["means"] == []

    def test_speed_says_what_it_leaves_out(self, capsys):
        quick = ["benchmark", "--speed", "--size", "32x32", "--repeats", "1", "--warm-up", "0"]
        assert main([*quick, "--methods", "blurry,tfi,sdm"]) == 0
        out, err = capsys.readouterr()
        assert "leaves out blurry, tfi" in err
        assert "conv3d GFLOP/s" in out and "file s/frame" in out and "power" not in out
        assert main([*quick, "--methods", "blurry"]) == 2

    @pytest.mark.parametrize("has_bf16", [True, False])
    def test_speed_of_the_network_alone(self, has_bf16, capsys, tmp_path, monkeypatch):
        monkeypatch.setattr("spikedeblur.benchmarking.speed.computes_bf16", lambda device: has_bf16)
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


@pytest.mark.parametrize("form", ["md", "csv", "auto"])
def test_tables_in_forms_that_other_programs_read(recording, capsys, form):
    command = ["benchmark", str(recording.folder), "--methods", "blurry,sdm", "--no-isolate"]
    assert main([*command, "--repeats", "1", "--warm-up", "0", "--format", form]) == 0
    lines = capsys.readouterr().out.splitlines()
    if form == "csv":
        rows = list(csv.DictReader(lines[:3]))
        assert [row["method"] for row in rows] == ["blurry", "sdm"]
        assert float(rows[1]["PSNR dB"]) > float(rows[0]["PSNR dB"])
    elif form == "md":
        assert all(line.startswith("| ") and line.endswith(" |") for line in lines[:4])
        assert len({line.count("|") for line in lines[:4]}) == 1 and "---" in lines[1]
    else:
        assert "\n".join(lines).isascii() and lines[0].split()[:2] == ["case", "method"]
