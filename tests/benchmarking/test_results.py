"""Figures of the benchmark against the same figures made another way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.benchmarking import scores
from spikedeblur.benchmarking.results import MethodResult, means
from spikedeblur.cli.main import main
from spikedeblur.io.video import open_video
from tests.recordings import make_recording

FIXED = {
    "frames": 1,
    "runs": 1,
    "load_seconds": 0.0,
    "warm_up_seconds": None,
    "first_frame_seconds": 1.0,
    "seconds_per_frame_min": 0.0,
    "seconds_per_frame_max": 0.0,
    "frames_per_second": 1.0,
    "peak_growth_mb": 0.0,
    "peak_gpu_mb": None,
    "threads": 1,
    "device": None,
    "precision": None,
    "tile": None,
    "weights": None,
}


def decoded(path: Path) -> np.ndarray:
    """(N, H, W, 3) float64 in [0, 1]."""
    with open_video(path) as reader:
        return np.stack([frame.rgb for frame in reader]) / 255


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over frames, any channels."""
    errors = ((one - other) ** 2).reshape(len(one), -1).mean(axis=1)
    return float(np.mean(10 * np.log10(1 / errors)))


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Wang et al. 2004: Gaussian windows of 11 pixels, frames mirrored at borders; (N, H, W, C)."""
    offsets = np.arange(-5, 6)
    taps = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2

    def local(values: np.ndarray) -> np.ndarray:
        padded = np.pad(values, ((0, 0), (5, 5), (5, 5), (0, 0)), mode="reflect")
        views = np.lib.stride_tricks.sliding_window_view(padded, (11, 11), axis=(1, 2))
        return np.einsum("nhwcij,ij->nhwc", views, window)

    mean_one, mean_other = local(one), local(other)
    variance = local(one**2) - mean_one**2 + local(other**2) - mean_other**2
    covariance = local(one * other) - mean_one * mean_other
    c1, c2 = 0.01**2, 0.03**2
    return float(
        (
            ((2 * mean_one * mean_other + c1) * (2 * covariance + c2))
            / ((mean_one**2 + mean_other**2 + c1) * (variance + c2))
        ).mean()
    )


def luma(rgb: np.ndarray) -> np.ndarray:
    """Y of ITU-R BT.601 in [16, 235] / 255."""
    return ((16 + rgb @ [65.481, 128.553, 24.966]) / 255)[..., None]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """A process for each method takes seconds; `test_isolation` has that."""
    monkeypatch.setenv("SPIKEDEBLUR_BENCHMARK_ISOLATE", "0")


@pytest.mark.parametrize("method", ["blurry", "sdm", "tfi", "net"])
def test_figures_are_those_of_the_videos_that_deblur_writes(
    method, recording, tiny_weights, tmp_path, monkeypatch, capsys
):
    for command in ("DEBLUR", "BENCHMARK"):
        monkeypatch.setenv(f"SPIKEDEBLUR_{command}_WEIGHTS", str(tiny_weights))
    restored = decoded(recording.blurry)
    if method != "blurry":
        out = tmp_path / "out.mkv"
        assert (
            main(
                [
                    "deblur",
                    str(recording.blurry),
                    "--spikes",
                    str(recording.spikes),
                    "--method",
                    method,
                    "-o",
                    str(out),
                    "--progress",
                    "none",
                ]
            )
            == 0
        )
        restored = decoded(out)
    sharp = decoded(recording.sharp)
    assert main(["benchmark", str(recording.folder), "--methods", method, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["cases"]
    assert len(row["psnr_of_frames"]) == recording.frames
    assert row["psnr"] == pytest.approx(np.mean(row["psnr_of_frames"]))
    flicker = np.abs(np.diff(restored - sharp, axis=0)).mean()
    assert row["psnr"] == pytest.approx(psnr(restored, sharp), abs=1e-4)
    assert row["ssim"] == pytest.approx(ssim(restored, sharp), abs=1e-4)
    assert row["psnr_y"] == pytest.approx(psnr(luma(restored), luma(sharp)), abs=1e-4)
    assert row["ssim_y"] == pytest.approx(ssim(luma(restored), luma(sharp)), abs=1e-4)
    assert row["temporal"] == pytest.approx(flicker, abs=1e-6)


def test_a_fixed_window_is_that_of_sdm(recording, capsys):
    """A window of the whole exposure changes nothing; one of half of it does."""
    assert (
        main(["benchmark", str(recording.folder), "--methods", "blurry,sdm:1,sdm:0.5", "--json"])
        == 0
    )
    blurry, whole, half = json.loads(capsys.readouterr().out)["cases"]
    assert whole["psnr"] == pytest.approx(blurry["psnr"], abs=0.05)
    assert half["psnr"] > blurry["psnr"] + 1


def test_what_has_to_be_known_is_stated(recording, tiny_weights, capsys):
    assert (
        main(
            [
                "benchmark",
                str(recording.folder),
                "--methods",
                "blurry,net",
                "--weights",
                str(tiny_weights),
                "--threads",
                "1",
                "--precision",
                "fp32",
                "--tile",
                "auto",
                "--tile",
                "32",
                "--repeats",
                "1",
                "--json",
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"machine", "settings", "cases", "means"}
    assert {"processor", "cores", "memory_gb", "torch", "numpy", "spikedeblur", "python"} <= found[
        "machine"
    ].keys()
    settings = found["settings"]
    assert settings["weights"]["net"]["file"] == str(tiny_weights)
    assert len(settings["weights"]["net"]["sha256"]) == 64
    assert settings["seeds"] == {"sample": 1, "made_up": 0}
    assert [(row["method"], row["tile"]) for row in found["cases"]] == [
        ("blurry", None),
        ("net", 64),
        ("net", 32),
    ]
    assert found["means"] == []


def test_folders_of_cases_have_means(tmp_path, recording, capsys):
    for name in ("rainy/a", "sunny/a"):
        shutil.copytree(recording.folder, tmp_path / name)
    make_recording(tmp_path / "rainy" / "b", frames=3)
    assert main(["benchmark", str(tmp_path), "--methods", "blurry,sdm", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["group"], row["case"], row["method"]) for row in found["cases"]] == [
        (*name, method)
        for name in (("rainy", "a"), ("rainy", "b"), ("sunny", "a"))
        for method in ("blurry", "sdm")
    ]
    rows = {(row["group"], row["case"], row["method"]): row for row in found["cases"]}
    rainy, _, whole, _ = found["means"]
    assert [(row["group"], row["method"], row["cases"]) for row in found["means"]] == [
        ("rainy", "blurry", 2),
        ("rainy", "sdm", 2),
        (None, "blurry", 3),
        (None, "sdm", 3),
    ]
    one, other, third = (
        rows[*name, "blurry"]["psnr"] for name in (("rainy", "a"), ("rainy", "b"), ("sunny", "a"))
    )
    assert one != other
    assert rainy["psnr"] == pytest.approx((one + other) / 2)
    assert whole["psnr"] == pytest.approx((one + other + third) / 3)


def test_cases_without_truth_do_not_lower_a_mean():
    results = [
        MethodResult(
            case=name,
            group="g",
            method="m",
            psnr=psnr,
            seconds_per_frame=1.0,
            peak_rss_mb=peak,
            **FIXED,
        )
        for name, psnr, peak in (("a", 20.0, 5.0), ("b", None, 9.0))
    ]
    [mean] = means(results)
    assert (mean["psnr"], mean["ssim"], mean["peak_rss_mb"]) == (20, None, 9)


def test_a_truth_that_goes_on(tmp_path, recording, capsys):
    shutil.copytree(recording.folder, tmp_path / "case")
    make_recording(tmp_path / "longer", frames=recording.frames + 1)
    shutil.copy(tmp_path / "longer" / "sharp.mkv", tmp_path / "case" / "sharp.mkv")
    assert main(["benchmark", str(tmp_path / "case"), "--methods", "blurry"]) == 1
    assert "differ in frames or size" in capsys.readouterr().err


def test_lpips_where_it_is_installed(recording, monkeypatch, capsys):
    def distance(restored, sharp):
        assert restored.shape == (1, 3, 32, 48) and -1 <= restored.min() < 0 < restored.max() <= 1
        return (restored - sharp).abs().mean()

    monkeypatch.setattr(scores, "perceptual_distance", lambda: distance)
    assert main(["benchmark", str(recording.folder), "--methods", "blurry", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["cases"]
    expected = 2 * np.abs(decoded(recording.blurry) - decoded(recording.sharp)).mean()
    assert row["lpips"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_the_sample_takes_less_than_three_minutes(tmp_path):
    """With everything as a user has it: a process for each method, the shipped weights."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("OMP_NUM_THREADS", "SPIKEDEBLUR_BENCHMARK_ISOLATE")
    }
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "spikedeblur", "benchmark"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0 and done.stderr == ""
    rows = [line.split("│") for line in done.stdout.splitlines() if "│ sample" in line]
    figures = {row[2].strip(): float(row[3]) for row in rows}
    assert figures["net"] > figures["sdm"] + 1 > figures["blurry"] + 2
    assert time.monotonic() - began < 180
