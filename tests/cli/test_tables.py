"""Tables of the benchmark fit the terminal; what is left out for that is said."""

from __future__ import annotations

import re
import sys

import pytest

from spikedeblur.cli.tables import print_results

FIGURES = {
    "psnr": 21.125,
    "ssim": 0.5,
    "psnr_y": 23.25,
    "ssim_y": 0.75,
    "temporal": 0.0625,
    "seconds_per_frame": 1.5,
    "seconds_per_frame_min": 1.25,
    "seconds_per_frame_max": 1.75,
    "first_frame_seconds": 3.5,
    "peak_rss_mb": 123.0,
}
ROWS = [{"case": "sample", "method": method, **FIGURES} for method in ("blurry", "sdm:0.125")]
HEADINGS = [
    "PSNR dB",
    "SSIM",
    "PSNR Y",
    "SSIM Y",
    "temporal",
    "s/frame",
    "min",
    "max",
    "first s",
    "peak MB",
]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (200, []),
        (100, ["min", "max"]),
        (80, ["PSNR Y", "SSIM Y", "min", "max", "first s"]),
        (40, ["PSNR Y", "SSIM Y", "temporal", "min", "max", "first s"]),
    ],
)
def test_a_table_has_the_columns_a_terminal_has_room_for(width, left_out, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    print_results(ROWS, [])
    shown, _, note = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).partition("left out")
    lines = shown.splitlines()
    assert len({len(line) for line in lines if line}) == 1
    assert width == 40 or len(lines[0]) <= width
    for heading in HEADINGS:
        assert (heading in lines[1]) is (heading not in left_out)
    assert re.findall(r"[a-zA-Z ]+?(?=,| \()", note.partition(":")[2]) == [
        f" {heading}" for heading in left_out
    ]


def test_a_file_gets_all_of_it(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_results([{**row, "case": 99 * "long"} for row in ROWS], [])
    printed = capsys.readouterr().out
    assert all(heading in printed for heading in HEADINGS) and "left out" not in printed
    assert printed.count(99 * "long") == len(ROWS)
