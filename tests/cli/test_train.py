"""`train` as a user runs it: every layout of recordings, and weights to start from."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from spikedeblur.cli.main import main
from spikedeblur.models.build import build_model
from spikedeblur.models.checkpoint import load_model
from spikedeblur.models.vrt import VRT
from spikedeblur.simulation.rig import RigSettings
from spikedeblur.simulation.simulation import simulate_rig
from spikedeblur.training.config import load_config
from spikedeblur.training.data import layouts
from spikedeblur.training.events import Started, StepDone
from spikedeblur.training.state import read_state
from spikedeblur.vocabulary import TRAINING_LAYOUTS
from tests.training import trees
from tests.training.pictures import photo_folder
from tests.training.tiny_run import SMALLEST

FIXTURES = Path(__file__).parents[1] / "fixtures"


def simulated(root: Path) -> None:
    """Two sequences of three frames, as `simulate` makes them of photographs."""
    photos = photo_folder(root.parent / "photos")
    for seed, name in enumerate(("train/one", "val/two")):
        simulate_rig(
            photos,
            root / name,
            RigSettings(frames=3, size=(32, 24), rate_hz=Fraction(2000), seed=seed),
        )


TREES = {
    "simulate": simulated,
    "folders": trees.in_folders,
    "spk-gopro": trees.spk_gopro,
    "spk-x4k": trees.spk_x4k,
    "s-sdm": trees.s_sdm,
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(SMALLEST))
    return path


def test_the_layouts_offered_are_those_there_are():
    assert tuple(layouts.LAYOUT_READERS) == TRAINING_LAYOUTS == tuple(TREES)


@pytest.mark.parametrize("layout", TRAINING_LAYOUTS)
def test_every_layout_is_trained_on(layout, config, tmp_path):
    TREES[layout](tmp_path / "set")
    run = tmp_path / "run"
    assert (
        main(
            [
                "train",
                str(config),
                "--data",
                str(tmp_path / "set"),
                "--layout",
                layout,
                "-o",
                str(run),
                "--set",
                "TRAIN.STEPS=2",
                "--set",
                "TRAIN.VAL_EVERY=2",
            ]
        )
        == 0
    )
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2] and "psnr" in lines[1]
    assert (run / "best.safetensors").is_file()


def test_the_wrong_layout_finds_nothing(config, tmp_path, capsys):
    trees.s_sdm(tmp_path / "set")
    assert (
        main(
            [
                "train",
                str(config),
                "--data",
                str(tmp_path / "set"),
                "--layout",
                "spk-x4k",
                "-o",
                str(tmp_path / "run"),
            ]
        )
        == 1
    )
    assert "layouts tried: spk-x4k" in capsys.readouterr().err


def test_training_starts_from_an_official_checkpoint_as_vrt_itself(tmp_path):
    """Beside the published network's weights the spike branch changes nothing, to the last bit."""
    checkpoint, vrt = official_checkpoint(tmp_path / "official.pth")
    tree = {
        "DATA": {"K": 4, "CLIP_LEN": 2, "CROP_SIZE": 64},
        "MODEL": {"CHANNELS_PER_SCALE": [16] * 4, "VRT": vrt},
        "TRAIN": {**SMALLEST["TRAIN"], "STEPS": 1, "VAL_CLIPS": 1},
    }
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(tree))
    trees.in_folders(tmp_path / "set")
    assert (
        main(
            [
                "train",
                str(config),
                "--init",
                str(checkpoint),
                "-o",
                str(tmp_path / "run"),
                "--photos",
                str(photo_folder(tmp_path / "photos")),
                "--val",
                str(tmp_path / "set"),
            ]
        )
        == 0
    )
    started = build_model(load_config(config).network).eval()
    first = read_state(tmp_path / "run" / "state" / "step-000000000.pt")
    started.load_state_dict(first["learner"]["model"])
    torch.manual_seed(0)
    rgb, voxels = torch.rand(1, 2, 3, 64, 64), torch.poisson(torch.full((1, 2, 4, 32, 32), 2.0))
    with torch.no_grad():
        assert torch.equal(started(rgb, voxels), load_model(checkpoint)(rgb))
        assert not torch.equal(started(rgb, voxels), rgb)


def official_checkpoint(path):
    """The reference network's weights in the official form, and the section that describes it."""
    said = json.loads((FIXTURES / "tiny_vrt.json").read_text())["config"]
    keys = (
        "depths",
        "embed_dims",
        "num_heads",
        "window_size",
        "indep_reconsts",
        "deformable_groups",
    )
    vrt = VRT(**said)
    with np.load(FIXTURES / "tiny_vrt.npz") as stored:
        weights = {
            name[2:]: torch.from_numpy(stored[name].astype(np.float32))
            for name in stored.files
            if name.startswith("w/")
        }
    vrt.load_state_dict({**vrt.state_dict(), **weights})
    torch.save({"params": vrt.state_dict()}, path)
    return path, {key.upper(): said[key] for key in keys}


def test_train_passes_on_what_it_was_told(monkeypatch, tmp_path, capsys):
    from spikedeblur.training.events import Record, Saved

    def run_training(
        config, *, photos, data, layout, val, pool, output, resume, init, device, report
    ):
        assert (photos, data, layout, val, pool) == (tmp_path, None, None, None, None)
        assert (resume, device) == (True, "cpu")
        assert (config.TRAIN.STEPS, config.TRAIN.SEED, config.TRAIN.PRECISION) == (3, 9, "bf16")
        report(Record(step=2, loss=0.25, lr=1e-3, seconds=0.5, wait=0.0, psnr=30.5))
        report(Saved(2))

    monkeypatch.setattr("spikedeblur.training.run.run_training", run_training)
    assert (
        main(
            [
                "-v",
                "train",
                "--photos",
                str(tmp_path),
                "-o",
                str(tmp_path / "run"),
                "--resume",
                "--set",
                "TRAIN.STEPS=3",
                "--seed",
                "9",
                "--precision",
                "bf16",
                "--device",
                "cpu",
            ]
        )
        == 0
    )
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (
        "spikedeblur: step 2: loss 0.25000, 30.50 dB, rate 1.00e-03, "
        "0.50 s a step, 0.0% of it waiting for data"
    )
    assert lines[1] == "spikedeblur: step 2: state saved" and "best.safetensors" in lines[2]


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--photos", "a", "--data", "b"],
        ["--photos", "a", "--set", "TRAIN.STEPZ=1"],
        ["nowhere.yaml"],
        ["--photos", "a", "--layout", "s-sdm"],
        ["--data", "a", "--layout", "gopro"],
    ],
)
def test_train_usage(args, tmp_path):
    assert main(["train", *args, "-o", str(tmp_path / "run")]) == 2


def test_a_dry_run_tells_the_cost_and_leaves_nothing(config, tmp_path, capsys):
    photos = photo_folder(tmp_path / "photos")
    command = ["train", config, "--photos", photos, "-o", tmp_path / "run", "--dry-run"]
    assert main([*map(str, command), "--progress", "none"]) == 0
    told = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert {"data", "steps", "model", "time", "memory", "output"} == told.keys()
    assert "s a step" in told["time"] and "million parameters" in told["model"]
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    assert main([*map(str, command[:-1]), "--progress", "none"]) == 0
    assert main([*map(str, command), "--progress", "none"]) == 1
    assert "--resume" in capsys.readouterr().err


def test_a_dry_run_in_numbers_counts_the_clips_that_a_pool_lacks(tmp_path, capsys):
    """With 16 steps of 2 clips 20 are asked for; the pool stays as it is."""
    keys = ["TRAIN.STEPS=16", "TRAIN.BATCH_SIZE=2", "TRAIN.WORKERS=0", "DATA.CROP_SIZE=16"]
    keys += ["DATA.CLIP_LEN=2", "DATA.K=8", "MODEL.VRT.WINDOW_SIZE=[2,4,4]"]
    sets = [part for key in keys for part in ("--set", key)]
    command = ["train", "small", *sets, "--photos", photo_folder(tmp_path / "photos"), "--dry-run"]
    command += ["-o", tmp_path / "run", "--pool", tmp_path / "pool", "--json", "--device", "cpu"]
    assert main([str(each) for each in command]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["event"], plan["steps"], plan["step"], plan["clips"]) == ("plan", 16, 0, 2)
    assert plan["clips_to_make"] == 16 + 32 // 8 and plan["clip_s"] > 0 and plan["parameters"] > 0
    expected = 16 * plan["step_s"] + plan["clips_to_make"] * plan["clip_s"]
    assert plan["seconds_estimate"] == pytest.approx(expected, rel=0.02)
    assert "photographs" in plan["found"] and str(tmp_path / "pool") in plan["found"]
    assert not (tmp_path / "pool").exists() and not (tmp_path / "run").exists()
    there = Path(plan["found"].rsplit(" ", 1)[1])
    there.mkdir(parents=True)
    for number in range(3):
        (there / f"{number:08}.safetensors").touch()
    assert main([str(each) for each in command]) == 0
    assert json.loads(capsys.readouterr().out)["clips_to_make"] == 17
    assert len(list(there.iterdir())) == 3


def test_a_run_says_what_it_does_and_then_how_long_that_takes(tmp_path, capsys, monkeypatch):
    def fake(config, **given):
        report = given["report"]
        report(Started("9 photographs", 4, 2_500_000, "cpu", "fp32", 2, 1, 8, 5, 64, 0, 100))
        for step in range(1, 9):
            clock.now += 2.0
            report(StepDone(step, 100, 0.1))

    monkeypatch.setattr("spikedeblur.training.run.run_training", fake)
    monkeypatch.setattr("spikedeblur.cli.train.time", clock := Clock())
    command = ["train", "--photos", tmp_path, "-o", tmp_path / "run", "--progress", "none"]
    assert main([str(each) for each in command]) == 0
    start, cost, _ = capsys.readouterr().err.splitlines()
    for fact in ("9 photographs", "4 clips", "2.5 million", "cpu", "steps 1 to 100", "64x64"):
        assert fact in start
    assert "2 s a step: about 3.1 min for the other 94" in cost


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now
