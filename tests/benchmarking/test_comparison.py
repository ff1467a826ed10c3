"""Ratios of two benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikedeblur.benchmarking.comparison import compare, read_benchmark
from spikedeblur.cli.main import main

BASELINE = Path(__file__).parents[2] / "docs" / "baseline.json"

ROW = {
    "group": "",
    "case": "a",
    "method": "net",
    "precision": "fp32",
    "threads": 2,
    "tile": 128,
    "psnr": 30.0,
    "ssim": 0.8,
    "psnr_y": None,
    "temporal": 0.02,
    "seconds_per_frame": 0.5,
    "first_frame_seconds": 1.0,
    "peak_rss_mb": 400.0,
}


def write(path, *rows):
    path.write_text(json.dumps({"machine": {}, "cases": [{**ROW, **row} for row in rows]}))
    return str(path)


@pytest.fixture
def files(tmp_path):
    return (
        write(tmp_path / "a.json", {}, {"case": "b"}),
        write(
            tmp_path / "b.json",
            {"psnr": 31.5, "ssim": 0.9, "seconds_per_frame": 0.25, "temporal": 0.02},
            {"case": "c"},
        ),
    )


def test_the_second_over_the_first(files, capsys):
    assert main(["benchmark", "--compare", *files, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    [row] = found["rows"]
    assert row == {
        "group": "",
        "case": "a",
        "method": "net",
        "precision": "fp32",
        "threads": 2,
        "tile": 128,
        "psnr": 1.5,
        "ssim": pytest.approx(1.125),
        "temporal": 1.0,
        "seconds_per_frame": 0.5,
        "first_frame_seconds": 1.0,
        "peak_rss_mb": 1.0,
    }
    assert found["only_in_first"] == ["b net fp32 2 128"]
    assert found["only_in_second"] == ["c net fp32 2 128"]


def test_the_table(files, capsys):
    assert main(["benchmark", "--compare", *files]) == 0
    out, err = capsys.readouterr()
    assert "+1.50" in out and "0.50x" in out and "1.125x" in out and err == ""
    assert f"only in {files[0]}: b net" in out


def test_another_machine_has_other_threads(tmp_path, capsys):
    first = write(tmp_path / "a.json", {})
    second = write(tmp_path / "b.json", {"threads": 8, "seconds_per_frame": 0.1})
    assert main(["benchmark", "--compare", first, second, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["rows"]
    assert row["seconds_per_frame"] == pytest.approx(0.2) and "threads" not in row


WORTH = {
    "runs": 3,
    "gflop_worth_per_frame": 40.0,
    "gflop_worth_per_frame_min": 39.0,
    "gflop_worth_per_frame_max": 41.0,
}


def test_what_changed_beyond_the_spread_of_the_runs(tmp_path, capsys):
    """Twice the seconds at the same worth is another machine; half the worth is a change."""
    first = write(tmp_path / "a.json", WORTH, {**WORTH, "case": "b"})
    faster = {name: value / 2 for name, value in WORTH.items() if name != "runs"}
    second = write(
        tmp_path / "b.json", {**WORTH, **faster}, {**WORTH, "case": "b", "seconds_per_frame": 1.0}
    )
    assert main(["benchmark", "--compare", first, second, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    [change] = found["changes"]
    assert (change["case"], change["figure"]) == ("a", "gflop_worth_per_frame")
    assert (change["first"], change["second"], change["ratio"]) == (40.0, 20.0, 0.5)
    assert (change["first_spread"], change["second_spread"]) == (2.0, 1.0)
    assert [row["gflop_worth_per_frame"] for row in found["rows"]] == [0.5, 1.0]
    assert main(["benchmark", "--compare", first, second]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index(next(line for line in lines if line.startswith("Changed by more")))
    assert "gflop_worth_per_frame" in lines[place + 2] and "0.50x" in lines[place + 2]
    assert main(["benchmark", "--compare", first, first]) == 0
    assert "no time changed by more than" in capsys.readouterr().out


def test_times_of_one_run_are_told_to_have_no_noise(files, capsys):
    assert main(["benchmark", "--compare", *files]) == 0
    assert "one run, so noise is unknown: a net fp32 2 128" in capsys.readouterr().out


def test_the_baseline_says_all_that_a_comparison_needs():
    baseline = read_benchmark(BASELINE)
    found = compare(baseline, baseline)
    assert {(row["case"], row["method"]) for row in found.rows} == {
        (size, method) for size in ("160x96", "320x192", "640x360") for method in ("sdm", "net")
    }
    assert all(row["end_to_end_gflop_worth_per_frame"] == 1.0 for row in found.rows)
    assert all(row["conv3d_gflops"] > 0 for row in baseline["cases"])
    assert found.changes == [] == found.untold  # each has several runs
    assert '"/' not in BASELINE.read_text(encoding="utf-8")  # nobody's folders


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"cases": 3}',
        '{"cases": [{"case": "a"}]}',
        "[" * 10**5,
        '{"cases": null}',
        "\x00",
    ],
)
def test_what_is_no_benchmark(tmp_path, text, files, capsys):
    (tmp_path / "x.json").write_text(text)
    assert main(["benchmark", "--compare", files[0], str(tmp_path / "x.json")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "x.json is no benchmark" in line


def test_a_file_that_is_not_there(tmp_path, files, capsys):
    assert main(["benchmark", "--compare", files[0], str(tmp_path / "x.json")]) == 1
    assert "there is no benchmark" in capsys.readouterr().err
