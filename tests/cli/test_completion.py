"""Completion as README sets it up and as it is installed: typed letters become words."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spikedeblur.cli.main import main
from spikedeblur.training.config import load_config
from tests.cli.terminal import Terminal

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "man" / "completion"
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile"], "", "spikedeblur"),
    "zsh": (["zsh", "-f"], "autoload -Uz compinit && compinit -u -D; ", "_spikedeblur_completion"),
}


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """That of a user who has the program on PATH."""
    program = tmp_path / "spikedeblur"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m spikedeblur "$@"\n')
    program.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "TERM": "dumb",
        "PYTHONPATH": str(ROOT),
        "PS1": "> ",
        "HOME": str(tmp_path),
    }


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


@pytest.mark.parametrize("way", ["asked", "read", "found"])
@pytest.mark.parametrize("shell", SHELLS)
def test_letters_typed_become_words(shell, way, environment):
    """The script asked for, or the one installed: read, or found by zsh among its functions."""
    needs(shell)
    command, before, file = SHELLS[shell]
    setup = f'eval "$(_SPIKEDEBLUR_COMPLETE={shell}_source spikedeblur)"'
    if way == "read":
        setup = f". {shlex.quote(str(SCRIPTS / file))}"
    if way == "found":
        if shell != "zsh":
            pytest.skip("its packages have a folder that is looked into; a user reads the file")
        before, setup = f"fpath=({shlex.quote(str(SCRIPTS))} $fpath); {before}", ":"
    terminal = Terminal(command, environment)
    try:
        terminal.type(f"{before}{setup}; echo re''ady\n", until="ready")
        terminal.type("spikedeblur vox\t", until="voxelize ")
        terminal.type("--bin\t", until="--bins ")
        terminal.type("\x15spikedeblur deblur --codec libx265\t", until="libx265 ")
        terminal.type("\x15spikedeblur train vrt_g\t", until="vrt_gopro ")
    finally:
        terminal.close()


@pytest.mark.parametrize("way", ["asked", "read", "found"])
def test_fish_completes(way, environment, tmp_path):
    needs("fish")
    setup = "_SPIKEDEBLUR_COMPLETE=fish_source spikedeblur | source"
    if way == "read":
        setup = f"source {shlex.quote(str(SCRIPTS / 'spikedeblur.fish'))}"
    if way == "found":
        found = tmp_path / "share" / "fish" / "vendor_completions.d"
        found.mkdir(parents=True)
        shutil.copy(SCRIPTS / "spikedeblur.fish", found)
        environment["XDG_DATA_DIRS"] = f"{tmp_path / 'share'}:/usr/share"
        setup = "true"
    begun = ("vox", "voxelize --bin", "deblur --codec libx265", "train vrt_g")
    asked = "; ".join(f"complete -C 'spikedeblur {each}'" for each in begun)
    done = subprocess.run(
        ["fish", "-c", f"{setup}; {asked}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    words = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert words == ["voxelize", "--bins", "libx265", "vrt_gopro"]


@pytest.mark.parametrize(
    ("words", "some", "others"),
    [
        ("deblur --codec ", {"libx264", "ffv1", "libsvtav1"}, {"h264", "aac"}),
        ("deblur --codec libx26", {"libx264", "libx265"}, {"ffv1"}),
        ("deblur --method ", {"net", "sdm", "joint"}, set()),
        ("deblur --weights s", {"small"}, set()),
        ("benchmark --methods sdm,", {"sdm,net", "sdm,blurry"}, {"sdm,sdm"}),
        ("train ", {"small", "vrt_gopro"}, set()),
        ("train --set TRAIN.S", {"TRAIN.STEPS=", "TRAIN.SEED="}, {"LOSS.KIND="}),
        ("train --set MODEL.VRT.", {"MODEL.VRT.EMBED_DIMS="}, {"MODEL.VRT="}),
    ],
)
def test_values_are_offered(words, some, others, monkeypatch, capsys):
    """Those that are true here: of this FFmpeg, of this package, of this configuration."""
    monkeypatch.setenv("_SPIKEDEBLUR_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"spikedeblur {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(f"{words}.".split())))
    assert main([]) == 0
    offered = {line.partition(",")[2] for line in capsys.readouterr().out.splitlines()}
    assert some <= offered and not others & offered
    for name in offered if "--set" in words and "MODEL" not in words else ():
        load_config("small", [f"{name}3"])


def test_files_are_offered_where_no_name_is_meant(monkeypatch, capsys):
    monkeypatch.setenv("_SPIKEDEBLUR_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "spikedeblur train my")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert main([]) == 0
    assert capsys.readouterr().out == "file,my\n"
