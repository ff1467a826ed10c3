"""`train` as a user runs it: every layout of recordings, and weights to start from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from spikedeblur.cli.main import main
from spikedeblur.cli.train import LAYOUTS
from spikedeblur.training.data import layouts
from spikedeblur.training.synthesis.simulation import Settings, simulate
from tests.training import trees
from tests.training.pictures import photo_folder
from tests.training.tiny_run import SMALLEST


def simulated(root: Path) -> None:
    """Two sequences of three frames, as `simulate` makes them of photographs."""
    photos = photo_folder(root.parent / "photos")
    for seed, name in enumerate(("train/one", "val/two")):
        simulate(photos, root / name, Settings(frames=3, size=(32, 24), seed=seed))


TREES = {"simulate": simulated, "folders": trees.in_folders, "spk-gopro": trees.spk_gopro,
         "spk-x4k": trees.spk_x4k, "s-sdm": trees.s_sdm}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(SMALLEST))
    return path


def test_the_layouts_offered_are_those_there_are():
    assert tuple(layouts.LAYOUTS) == LAYOUTS == tuple(TREES)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_trained_on(layout, config, tmp_path):
    TREES[layout](tmp_path / "set")
    for number, named in enumerate(([], ["--layout", layout])):
        run = tmp_path / f"run{number}"
        assert main(["train", str(config), "--data", str(tmp_path / "set"), *named, "-o", str(run),
                     "--set", "TRAIN.STEPS=2", "--set", "TRAIN.VAL_EVERY=2"]) == 0
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [1, 2] and "psnr" in lines[1]
        assert (run / "best.safetensors").is_file()
    assert [line["loss"] for line in lines] == [
        json.loads(line)["loss"] for line in (tmp_path / "run0/metrics.jsonl").read_text()
        .splitlines()]


def test_the_wrong_layout_finds_nothing(config, tmp_path, capsys):
    trees.s_sdm(tmp_path / "set")
    assert main(["train", str(config), "--data", str(tmp_path / "set"), "--layout", "spk-x4k",
                 "-o", str(tmp_path / "run")]) == 1
    assert "layouts tried: spk-x4k" in capsys.readouterr().err
