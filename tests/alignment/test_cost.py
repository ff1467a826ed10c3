"""What an alignment says before it begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikedeblur.alignment.estimation import Aligner
from spikedeblur.cli.main import main
from spikedeblur.errors import InputError
from tests.recordings import Recording


def align(recording: Recording, output: Path, *more: str) -> int:
    files = [str(recording.blurry), "--spikes", str(recording.spikes), "-o", str(output)]
    return main(["align", *files, *more])


@pytest.mark.parametrize("known", [False, True])
def test_a_dry_run_says_what_it_will_do_and_searches_nothing(
    known: bool, recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "s.toml"
    fix = ["--fix", "homography=2,0,0.5,0,2,0.5,0,0,1"] if known else []
    assert align(recording, output, *fix, "--dry-run", "--json") == 0
    said = capsys.readouterr()
    assert "searching" not in said.err and not output.exists()
    plan = json.loads(said.out)
    facts = {"event": "plan", "frames": 7, "width_px": 48, "spike_height_px": 16, "rate_hz": 4000}
    assert facts.items() <= plan.items()
    assert plan["seconds_estimate"] > 0 and 100 < plan["peak_rss_mb_estimate"] < 5000
    assert align(recording, output, *fix, "--dry-run") == 0
    assert "7 frames of 48x32 with spikes of 24x16 at 4000 Hz" in capsys.readouterr().out


def test_a_run_says_it_in_a_line(
    recording: Recording,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_: Aligner) -> None:
        raise InputError("enough seen")

    monkeypatch.setattr(Aligner, "run", refused)
    assert align(recording, tmp_path / "s.toml") == 1
    error = capsys.readouterr().err
    assert "7 frames of 48x32" in error and "about" in error and "MB of memory" in error


def test_a_dry_run_fails_as_the_run_does(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.toml").write_text("width = 1")
    assert align(recording, tmp_path / "s.toml", "--dry-run") == 1
    assert align(recording, tmp_path / "t.toml", "--offset", "90", "--dry-run") == 1
    assert "--offset" in capsys.readouterr().err
