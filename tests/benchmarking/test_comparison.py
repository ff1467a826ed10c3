"""Ratios of two benchmarks."""

from __future__ import annotations

import json

import pytest

from spikedeblur.cli.main import main

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
