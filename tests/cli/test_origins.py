"""Values that a call does not say: from variables and files; and options on either side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spikedeblur.cli.main import main
from tests.cli.running import deblur, only_error

USER = Path("spikedeblur/spikedeblur.toml")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder to run in, and one of configurations, XDG_CONFIG_HOME, beside it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config/spikedeblur").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def methods(recording, capsys, *args: str) -> str:
    """The method that a run would use, of what its plan says."""
    video, spikes = str(recording.blurry), str(recording.spikes)
    assert main(["deblur", video, "--spikes", spikes, "--dry-run", *args]) == 0
    return capsys.readouterr().out.partition("method")[2].split()[0].strip(",")


@pytest.mark.parametrize("before", [True, False])
def test_talk_stands_before_or_after_the_command(recording, tmp_path, before, capsys):
    log = tmp_path / "run.log"
    talk = ["-q", "-v", "--log-file", str(log)]
    rest = ["info", str(recording.spikes), "--no-picture"]
    assert main([*talk, *rest] if before else [*rest, *talk]) == 0
    assert capsys.readouterr().err == ""
    assert main(["-q", "info", "--version"]) == 0
    assert capsys.readouterr().out.startswith("spikedeblur ")


def test_a_log_after_the_command_has_every_line(recording, tmp_path, capsys):
    log = tmp_path / "run.log"
    out = ["-o", str(tmp_path / "out.mkv"), "--log-file", str(log), "-q", "--progress", "none"]
    assert deblur(recording.blurry.parent, *out) == 0
    assert capsys.readouterr().err == "" and "7 frames" in log.read_text()


def test_verbose_on_both_sides_adds_up(tmp_path, capsys):
    assert main(["-v", "info", str(tmp_path / "none"), "-v"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert main(["-v", "info", str(tmp_path / "none")]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_what_is_nearer_wins(here, recording, monkeypatch, capsys):
    """Option, variable of the command, variable of all, file here, file of the user, default."""
    user = here.parent / "config" / USER
    layers = [
        lambda: user.write_text('method = "tfp"\n'),
        lambda: Path("spikedeblur.toml").write_text('method = "tfi"\n'),
        lambda: Path("spikedeblur.toml").write_text('method = "tfi"\n[deblur]\nmethod="sdm"\n'),
        lambda: monkeypatch.setenv("SPIKEDEBLUR_METHOD", "joint"),
        lambda: monkeypatch.setenv("SPIKEDEBLUR_DEBLUR_METHOD", "tfp"),
    ]
    seen = []
    for layer in layers:
        layer()
        seen.append(methods(recording, capsys))
    assert seen == ["tfp", "tfi", "sdm", "joint", "tfp"]
    assert methods(recording, capsys, "--method", "sdm") == "sdm"


def test_former_names_are_taken_and_not_listed(recording, tmp_path, monkeypatch, capsys):
    """As option, as variable and in a file."""
    out = tmp_path / "out.tif"
    call = ["voxelize", str(recording.spikes), "-o", str(out), "-y"]
    assert main([*call, "--frames-per-second", "50"]) == 0
    assert main([*call, "--frames-per-second=50"]) == 0
    with monkeypatch.context() as patch:
        patch.setenv("SPIKEDEBLUR_VOXELIZE_FRAMES_PER_SECOND", "50")
        assert main(call) == 0
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        Path("spikedeblur.toml").write_text("[voxelize]\nframes_per_second = 50\n")
        assert main(call) == 0
    assert main([*call, "--frames-per-second", "no"]) == 2
    assert "'--frames-per-second'" in capsys.readouterr().err
    assert main(["voxelize", "--help"]) == 0
    assert "frames-per-second" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "variable", "said"),
    [
        (["--spike-rate", "x"], None, "'--spike-rate'"),
        (["-o", "a.mkv", "-e", "x"], None, "'-e'"),
        (["--encoder-option=x"], None, "'--encoder-option'"),
        ([], ("SPIKEDEBLUR_SPIKE_RATE", "x"), "SPIKEDEBLUR_SPIKE_RATE (--spike-rate)"),
        ([], ("SPIKEDEBLUR_DEBLUR_CRF", "x"), "SPIKEDEBLUR_DEBLUR_CRF (--crf)"),
    ],
)
def test_an_error_names_what_was_typed(typed, variable, said, monkeypatch, capsys):
    if variable:
        monkeypatch.setenv(*variable)
    assert main(["deblur", "a.mkv", *typed]) == 2
    error = capsys.readouterr().err
    assert f"Invalid value for {said}: " in error and len(error.splitlines()) == 1


def test_an_error_found_later_says_where_it_is_from(recording, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SPIKEDEBLUR_TILE", "64")
    monkeypatch.setenv("SPIKEDEBLUR_OVERLAP", "60")
    assert main(["deblur", str(recording.blurry), "-o", str(tmp_path / "o.mkv")]) == 2
    assert "--overlap is from SPIKEDEBLUR_OVERLAP" in only_error(capsys)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("SPIKEDEBLUR_METHD", "did you mean SPIKEDEBLUR_METHOD?"),
        ("SPIKEDEBLUR_DEBLUR_WIEGHTS", "did you mean SPIKEDEBLUR_DEBLUR_WEIGHTS?"),
        ("SPIKEDEBLUR_12345678901", "spikedeblur config lists"),
    ],
)
def test_a_variable_of_no_option_is_told(name, advice, recording, monkeypatch, capsys):
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv("SPIKEDEBLUR_TRAIN_SEED", "1")  # of another command, and right
    assert main(["info", str(recording.spikes), "--no-picture"]) == 0
    error = capsys.readouterr().err
    assert name in error and advice in error and len(error.splitlines()) == 1
    assert main(["info", str(recording.spikes), "--no-picture", "-q"]) == 0
    assert capsys.readouterr().err == ""


def test_keys_of_no_option_are_told(here, recording, capsys):
    Path("spikedeblur.toml").write_text(
        'methd = "sdm"\nseed = 3\noutput = "x"\n[deblur]\ncrv = 3\n[debluur]\ncrf = 2\n'
    )
    assert main(["info", str(recording.spikes), "--no-picture"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    for line, (key, advice) in zip(
        lines,
        [("methd", "method"), ("output", "[deblur]"), ("crv", "crf"), ("[debluur]", "[deblur]")],
        strict=True,
    ):
        assert f"'{key}'" in line and advice in line


@pytest.mark.parametrize(
    "text", ["a = ", "method = [[1]]\n", "x = 1\n" * 20_000, "method = 'none'", "crf = 'low'"]
)
def test_a_bad_file_is_one_line(text, here, capsys):
    Path("spikedeblur.toml").write_text(text)
    assert main(["deblur", "a.mkv"]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and "spikedeblur.toml" in error
    assert main(["deblur", "--help"]) == 0


def test_a_file_here_that_changes_a_run_is_told(here, recording, capsys):
    Path("spikedeblur.toml").write_text('[info]\npicture = false\nlog-file = "x"\n')
    assert main(["info", str(recording.spikes)]) == 0
    captured = capsys.readouterr()
    assert "settings of spikedeblur.toml: [info] picture\n" in captured.err


def test_lists_flags_and_numbers_of_a_file(here, recording, capsys):
    Path("spikedeblur.toml").write_text(
        '[deblur]\nno-audio = true\nencoder-option = ["tune=grain", "g=3"]\n'
        'codec = "libx264"\ncrf = 3.5\noverwrite = true\n'
    )
    out = here / "out.mp4"
    out.write_text("old")
    assert deblur(recording.blurry.parent, "-o", str(out), "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["frames"] == 7


def test_the_user_s_folder_is_that_of_the_system(tmp_path):
    """In a process of its own: HOME counts where XDG_CONFIG_HOME is not set."""
    folder = tmp_path / ".config/spikedeblur"
    folder.mkdir(parents=True)
    (folder / "spikedeblur.toml").write_text("strange = 1\n")
    kept = {name: value for name, value in os.environ.items() if name != "XDG_CONFIG_HOME"}
    done = subprocess.run(
        [sys.executable, "-m", "spikedeblur", "config"],
        env={**kept, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert str(folder) in done.stderr or sys.platform != "linux"


def test_config_shows_what_holds_and_from_where(here, monkeypatch, capsys):
    Path("spikedeblur.toml").write_text('crf = 3\n[deblur]\nmethod = "sdm"\nstart = 1\n')
    monkeypatch.setenv("SPIKEDEBLUR_START", "2")
    monkeypatch.setenv("SPIKEDEBLUR_QUIET", "0")
    assert main(["config", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == ["spikedeblur.toml"]
    held = [
        (row["command"], row["option"], row["value"], row["where"]) for row in found["settings"]
    ]
    assert sorted(held) == [
        ("", "quiet", "0", "SPIKEDEBLUR_QUIET"),
        ("deblur", "crf", "3", "crf in spikedeblur.toml"),
        ("deblur", "method", "sdm", "[deblur] method in spikedeblur.toml"),
        ("deblur", "start", "2", "SPIKEDEBLUR_START"),
    ]
    assert main(["config", "deblur"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[1:3] == ["method", "sdm"] for line in lines)
    assert any(line.split()[1:3] == ["device", "auto"] for line in lines)
    assert main(["config", "debluur"]) == 2
