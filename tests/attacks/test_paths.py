"""Folders, pipes, devices and names that are none, in the place of each file that a command reads
or writes: one error, at once, and what lies there stays.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from spikedeblur.cli.main import COMMANDS, main
from tests.recordings import Recording

pytestmark = pytest.mark.timeout(60)  # what waits for a pipe waits for ever

# PATH is what is tried; BLURRY and SPIKES are whole; OUT is a file in an empty folder.
SDM = "--method sdm"
READ = {
    "deblur": (".mkv", f"deblur PATH --spikes SPIKES {SDM} -o OUT.mkv"),
    "deblur images": (".png", f"deblur PATH --spikes SPIKES {SDM} -o OUT.mkv"),
    "deblur --spikes .dat": (".dat", f"deblur BLURRY --spikes PATH {SDM} -o OUT.mkv"),
    "deblur --spikes .tif": (".tif", f"deblur BLURRY --spikes PATH {SDM} -o OUT.mkv"),
    "deblur --spikes .npz": (".npz", f"deblur BLURRY --spikes PATH {SDM} -o OUT.mkv"),
    "deblur --weights": (".pth", "deblur BLURRY --spikes SPIKES --weights PATH -o OUT.mkv"),
    "deblur --dry-run": (".mkv", f"deblur PATH --spikes SPIKES {SDM} --dry-run"),
    "deblur --rig": (".toml", f"deblur BLURRY --spikes SPIKES {SDM} --rig PATH -o OUT.mkv"),
    "deblur --list": (".txt", f"deblur --list PATH {SDM}"),
    "preview": (".mkv", "preview PATH --spikes SPIKES --methods sdm -o OUT.png"),
    "score": (".mkv", "score PATH --truth BLURRY"),
    "score --truth": (".mkv", "score BLURRY --truth PATH"),
    "join": (".mkv", "join PATH"),
    "join --video": (".mkv", "join OUT.mkv --video PATH"),
    "align": (".mkv", "align PATH --spikes SPIKES -o OUT.toml"),
    "align --spikes": (".dat", "align BLURRY --spikes PATH -o OUT.toml"),
    "info .dat": (".dat", "info PATH"),
    "info .npy": (".npy", "info PATH"),
    "info .tif": (".tif", "info PATH"),
    "info .mkv": (".mkv", "info PATH"),
    "info .safetensors": (".safetensors", "info PATH"),
    "voxelize": (".dat", "voxelize PATH --fps 50"),
    "voxelize .h5": (".h5", "voxelize PATH --fps 50"),
    "voxelize --video": (".mkv", "voxelize SPIKES --video PATH -o OUT.tif"),
    "simulate": (".mkv", "simulate PATH -o OUT"),
    "train": (".yaml", "train PATH --data OUT -o RUN"),
    "train --data": ("", "train --data PATH -o RUN"),
    "train --photos": (".png", "train --photos PATH -o RUN"),
    "train --val": ("", "train --photos OUT --val PATH -o RUN"),
    "train --init": (".safetensors", "train --photos OUT --init PATH -o RUN"),
    "benchmark": ("", "benchmark PATH --methods blurry"),
    "benchmark --compare": (".json", "benchmark --compare PATH PATH"),
    "benchmark --weights": (".pth", "benchmark FOLDER --methods net --weights PATH"),
    "export": (".safetensors", "export PATH -o OUT.onnx"),
}
WRITTEN = {
    "deblur -o": (".mkv", f"deblur BLURRY --spikes SPIKES {SDM} -y -o PATH"),
    "deblur -o --resume": (".mkv", f"deblur BLURRY --spikes SPIKES {SDM} --resume -o PATH"),
    "deblur --compare": (
        "_compare.mkv",
        f"deblur BLURRY --spikes SPIKES {SDM} -y --compare side -o PLACE.mkv",
    ),
    "deblur --failures": (
        ".txt",
        f"deblur BLURRY --spikes SPIKES {SDM} -y -o OUT.mkv --failures PATH",
    ),
    "align -o": (".toml", "align BLURRY --spikes SPIKES -y -o PATH"),
    "voxelize -o": (".tif", "voxelize SPIKES --video BLURRY -y -o PATH"),
    "voxelize --preview": (".png", "voxelize SPIKES --video BLURRY -y -o OUT.tif --preview PATH"),
    "info --preview": (".png", "info SPIKES -y --preview PATH"),
    "benchmark --html": (".html", "benchmark FOLDER --methods blurry -y --html PATH"),
}


def test_every_command_is_tried() -> None:
    assert {words.split()[0] for _, words in READ.values()} == {*COMMANDS} - {
        "config"
    }  # it takes no path


def in_the_way(kind: str, path: Path) -> Path:
    """Make something of that kind at `path`; or what stands for it, which is there anyway."""
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "empty":
        path.touch()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind.startswith("/dev/"):
        path.symlink_to(kind)
    else:
        return Path(kind)
    return path


def run(
    words: str, recording: Recording, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends in one error of its own."""
    stands_for = {
        "PATH": str(path),
        "BLURRY": str(recording.blurry),
        "SPIKES": str(recording.spikes),
        "FOLDER": str(recording.folder),
    }
    given = [
        stands_for.get(word, re.sub("^(OUT|RUN|PLACE)", rf"{tmp_path}/\1", word))
        for word in words.split()
    ]
    assert main(given) in (1, 2)
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.match(r"spikedeblur: error: .* - .", error), error
    assert "this is a bug" not in error, error


@pytest.mark.parametrize("kind", ["folder", "pipe", "/dev/null", "/dev/zero", "empty", "loop", "/"])
@pytest.mark.parametrize("name", READ)
def test_read(
    name: str, kind: str, recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind == "/" and name in ("benchmark", "simulate", "train --photos"):
        pytest.skip("looks for cases or photographs everywhere")
    if (kind, name) == ("empty", "deblur --rig"):
        pytest.skip("says nothing, as a sidecar may")
    suffix, words = READ[name]
    path = in_the_way(kind, tmp_path / f"x{suffix}")
    run(words, recording, path, tmp_path, capsys)
    assert {entry.name for entry in tmp_path.iterdir()} <= {path.name}


@pytest.mark.parametrize("kind", ["folder", "pipe", "/dev/null", "/"])
@pytest.mark.parametrize("name", WRITTEN)
def test_written(
    name: str, kind: str, recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suffix, words = WRITTEN[name]
    path = in_the_way(kind, tmp_path / f"PLACE{suffix}")
    if path == Path("/") and "PATH" not in words:
        pytest.skip("its name is made of another")
    before = stat.S_IFMT(path.lstat().st_mode)
    run(words, recording, path, tmp_path, capsys)
    assert stat.S_IFMT(path.lstat().st_mode) == before
    assert {entry.name for entry in tmp_path.iterdir()} <= {path.name}


def test_a_link_that_leads_nowhere_is_not_replaced(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "v.tif"
    link.symlink_to("nowhere")
    run("voxelize SPIKES --video BLURRY -o PATH", recording, link, tmp_path, capsys)
    assert link.is_symlink()
