"""--rig: what holds for all recordings of a call, between their sidecars and inference."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.cli.main import main
from spikedeblur.io.video import open_video
from tests.cli.running import only_error


@pytest.fixture
def rig(recording, tmp_path) -> Path:
    """Two copies of the recording; what their sidecars say stands in rig.toml, but for b's flip."""
    for name in "ab":
        for path in (recording.blurry, recording.spikes):
            shutil.copy(path, tmp_path / f"{name}{path.suffix}")
    known = recording.spikes.with_suffix(".toml").read_text()
    (tmp_path / "rig.toml").write_text(known + "exposure_s = 0.005\n")
    (tmp_path / "b.toml").write_text("exposure_s = 0.01\n")
    return tmp_path


def deblur(folder: Path, *args: object) -> int:
    videos = [str(folder / f"{name}.mkv") for name in "ab"]
    return main(["deblur", *videos, "--method", "tfp", "--progress", "none", *map(str, args)])


def pictures(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack([frame.rgb for frame in reader])


def test_a_clip_s_own_sidecar_beats_the_rig(rig):
    """The pictures are those of a sidecar that says all of it, for each clip."""
    assert deblur(rig, "--rig", rig / "rig.toml") == 0
    made = [pictures(rig / f"{name}_deblurred.mkv") for name in "ab"]
    whole = (rig / "rig.toml").read_text()
    (rig / "a.toml").write_text(whole)
    (rig / "b.toml").write_text(whole.replace("0.005", "0.01"))
    assert deblur(rig, "-y") == 0
    for name, seen in zip("ab", made, strict=True):
        np.testing.assert_array_equal(pictures(rig / f"{name}_deblurred.mkv"), seen)
    assert not np.array_equal(*made)


def info(path: Path, capsys, *args: str) -> dict:
    assert main(["info", str(path), "--json", *args]) == 0
    return json.loads(capsys.readouterr().out)


def test_option_environment_sidecar_rig_file(rig, monkeypatch, capsys):
    """Each layer that is added is believed before those below it; info says which it was."""
    monkeypatch.chdir(rig)
    a, seen = rig / "a.dat", []
    size = ["--spike-size", "24x16", "--spike-rate", "4000"]
    Path("spikedeblur.toml").write_text('exposure = "0.5x"\n')
    seen.append(info(a, capsys, *size))
    Path("only.toml").write_text("exposure_s = 0.004\n")
    seen.append(info(a, capsys, *size, "--rig", "only.toml"))
    Path("a.toml").write_text("exposure_s = 0.003\n")
    seen.append(info(a, capsys, *size, "--rig", "only.toml"))
    monkeypatch.setenv("SPIKEDEBLUR_EXPOSURE", "2ms")
    seen.append(info(a, capsys, *size, "--rig", "only.toml"))
    seen.append(info(a, capsys, *size, "--rig", "only.toml", "--exposure", "1ms"))
    origins = [origin for each in seen for origin in each["origins"] if "exposure" in origin]
    layers = ("configuration", "rig", "sidecar", "environment", "option")
    assert origins == [f"exposure: {layer}" for layer in layers]
    shown = ["0.5x", "0.004 s", "0.003 s", "0.002 s", "0.001 s"]
    assert [each["exposure"] for each in seen] == shown


def test_what_is_no_rig_is_one_line(rig, capsys):
    (rig / "bad.toml").write_text("exposur_s = 1\n")
    assert deblur(rig, "--rig", rig / "bad.toml") == 1
    error = only_error(capsys)
    assert "rig file" in error and "exposure_s" in error
    assert deblur(rig, "--rig", rig / "none.toml") == 1
    assert "rig file not found" in only_error(capsys)


def test_a_changed_rig_is_another_job(rig, monkeypatch, capsys):
    """What is kept of a run by one rig is not gone on with by another."""
    out = ["--spikes", rig / "a.dat", "-o", rig / "o.mkv", "--shard", "1/2", "--segment", "2"]
    call = ["deblur", rig / "a.mkv", "--method", "tfp", "-q", "--rig", rig / "rig.toml", *out]
    assert main([*map(str, call)]) == 0
    text = (rig / "rig.toml").read_text()
    (rig / "rig.toml").write_text(text.replace("0.005", "0.008"))
    assert main([*map(str, call)]) != 0
    assert "exposure" in capsys.readouterr().err
