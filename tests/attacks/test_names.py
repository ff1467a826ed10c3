"""Names and texts from files that would steer the terminal: shown, not obeyed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from spikedeblur.cli.console import printable
from spikedeblur.cli.main import main
from tests.recordings import Recording

# Clears the screen, by 7-bit and 8-bit codes; a title; a change of direction; rich's own markup.
NAMES = [
    "\x1b[2Jx",
    "\x9b2Jx",
    "\x1b]0;x\x07",
    "[red]x[bold",
    "a\u202egpj",
    "a\nb",
    "\x7f",
    "\udcff",
    ":x:",
]


def check_quiet(text: str) -> None:
    assert all(each.isprintable() or each == "\n" for each in text), repr(text)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("args", [[], ["--json"], ["-vv"]], ids=["plain", "json", "trace"])
def test_names_of_files(
    name: str,
    args: list[str],
    recording: Recording,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / f"{name}.mkv"
    shutil.copy(recording.blurry, path)
    before = [each for each in args if each == "-vv"]
    after = [each for each in args if each != "-vv"]
    assert main([*before, "info", *after, str(path), str(path) + "x"]) == 1
    out, err = capsys.readouterr()
    check_quiet(out)
    check_quiet(err)
    if after:
        assert json.loads(out)["file"] == str(path)
    else:
        assert printable(path.name) in out


def test_names_of_cases(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [name for name in NAMES if "x" in name][:4]
    for name in names:
        (tmp_path / name).mkdir()
        for path in recording.folder.iterdir():
            os.link(path, tmp_path / name / path.name)
    assert (
        main(["benchmark", *(str(tmp_path / name) for name in names), "--methods", "blurry"]) == 0
    )
    out, err = capsys.readouterr()
    check_quiet(out)
    check_quiet(err)
    assert all(printable(name) in out for name in names)
