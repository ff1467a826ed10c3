"""The check that goes on during a run, and how a run tells of what it found."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spikedeblur.cli.main import main
from tests.agreement.rigs import RATE, TICKS, moving

LONG = 170  # frames


@pytest.fixture(scope="module")
def long_scene():
    return moving(frames=LONG, speed=5.0)


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Look at each second frame; a second of video is long for a test."""
    monkeypatch.setattr("spikedeblur.agreement.watch.EVERY_S", 0.0)
    monkeypatch.setattr("spikedeblur.agreement.watch.EVERY_FRAMES", 2)


def run(files, tmp_path, capsys, *args: str) -> list[dict[str, object]]:
    video, spikes = files
    command = ["deblur", video, "--spikes", spikes, "--method", "tfp", "--json", *args]
    assert (
        main([*map(str, command), "--progress", "none", "-y", "-o", str(tmp_path / "o.mkv")]) == 0
    )
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [each for each in told if each["event"] != "video"]


def first_frames_only(monkeypatch) -> None:
    """Let the check beforehand see the first frames alone, as where it has no time for others."""
    from spikedeblur.agreement import sampling

    monkeypatch.setattr(sampling, "READ_THROUGH", 12)
    monkeypatch.setattr(sampling, "_sought", lambda *_: iter(()))


@pytest.mark.parametrize("spoil", ["stops", "slips"])
def test_a_recording_that_goes_astray_is_told_where_it_begins(
    long_scene, tmp_path, capsys, monkeypatch, spoil
):
    def spoilt(spikes: np.ndarray) -> np.ndarray:
        cut = LONG // 2 * TICKS
        lost = TICKS // 3  # ticks that a recorder has missed
        late = np.zeros_like(spikes[cut:]) if spoil == "stops" else spikes[cut + lost :]
        return np.concatenate([spikes[:cut], late])

    first_frames_only(monkeypatch)
    *warnings, done = run(long_scene.write(tmp_path, spoilt), tmp_path, capsys)
    [drift] = [each for each in warnings if each["code"] == "spikes_drift"]
    assert drift["event"] == "warning" and drift["input"].endswith("v.mkv")
    assert LONG / 2 / RATE - 0.2 < drift["from_s"] < LONG / 2 / RATE + 0.3
    if spoil == "slips":
        assert drift["late_s"] == pytest.approx(1 / 3 / RATE, abs=0.001)
    assert done["event"] == "done" and done["warnings"] >= 1


def test_a_recording_that_fits_is_left_in_peace(long_scene, tmp_path, capsys):
    assert [each["event"] for each in run(long_scene.write(tmp_path), tmp_path, capsys)] == ["done"]


def test_warnings_of_a_run_have_a_code_and_figures(tmp_path, capsys):
    files = moving().write(tmp_path, lambda spikes: spikes[:, ::-1])
    warning, done = run(files, tmp_path, capsys)
    assert (warning["event"], warning["code"]) == ("warning", "spikes_do_not_match")
    assert warning["spike_match"] < 0.3 < 0.95 < warning["better_match"]
    assert warning["message"].endswith("--no-flip") and done["warnings"] == 1
    assert run(files, tmp_path, capsys, "--no-flip")[0]["event"] == "done"


def test_a_dry_run_says_the_same_in_numbers(tmp_path, capsys):
    files = moving().write(tmp_path, lambda spikes: spikes[: 9 * TICKS, ::-1])
    [plan] = run(files, tmp_path, capsys, "--dry-run")
    assert plan["event"] == "plan" and plan["spike_match"] < 0.3 and plan["covered_frames"] == 9
    assert [each["code"] for each in plan["warnings"]] == [
        "frames_uncovered",
        "spikes_do_not_match",
    ]
    assert not (tmp_path / "o.mkv").exists()


def test_a_run_fails_before_the_first_frame_where_nothing_is_covered(tmp_path, capsys):
    video, spikes = moving().write(tmp_path)
    for dry in ([], ["--dry-run"]):
        command = ["deblur", video, "--spikes", spikes, "--method", "tfp", "--offset", "5", *dry]
        assert main([*map(str, command), "-o", str(tmp_path / "o.mkv")]) == 1
        said = capsys.readouterr().err
        assert "cover none of the 12 frames" in said and "--offset" in said
        assert not (tmp_path / "o.mkv").exists()
