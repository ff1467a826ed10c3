"""A run leaves the files it promises, starts from given weights, and says where it is."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest
import torch

from spikedeblur.errors import ConfigError, UsageError, WeightsError
from spikedeblur.models.build import build_model
from spikedeblur.models.checkpoint import load_model, save_model
from spikedeblur.training.config import config_from_dict, load_config
from spikedeblur.training.data.sampler import Batch
from spikedeblur.training.distributed import World
from spikedeblur.training.events import Event, Record, Saved, StepDone, Validated
from spikedeblur.training.run import run_training, start_from
from spikedeblur.training.validation import Validator
from tests.training.pictures import photo_folder
from tests.training.tiny_run import NoiseClips, run, tiny_config


def test_a_run_from_photos_leaves_its_files_and_reports(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos")
    config = tiny_config(STEPS=3, LOG_EVERY=2, VAL_EVERY=3, SAVE_EVERY=2, WORKERS=1)
    events: list[Event] = []
    run_training(config, photos=photos, output=tmp_path / "run", device="cpu", report=events.append)
    folder = tmp_path / "run"
    assert sorted(path.name for path in folder.iterdir()) == [
        "best.safetensors",
        "config.yaml",
        "last.safetensors",
        "metrics.jsonl",
        "state",
    ]
    assert load_config(folder / "config.yaml") == config
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 3]
    assert set(lines[0]) == {"step", "loss", "lr", "seconds", "wait"}
    assert set(lines[1]) == {*lines[0], "psnr", "ssim", "blurry_psnr"}
    assert all(0 <= line["wait"] < 1 and line["seconds"] > 0 for line in lines)
    assert [event.step for event in events if isinstance(event, StepDone)] == [1, 2, 3]
    assert [event.step for event in events if isinstance(event, Saved)] == [0, 2, 3]
    assert [event.as_json() for event in events if isinstance(event, Record)] == lines
    assert [event for event in events if isinstance(event, Validated)] == [
        Validated(1, 2),
        Validated(2, 2),
    ]
    for name in ("best", "last"):
        assert load_model(folder / f"{name}.safetensors").config == config.network


def test_the_best_weights_are_those_of_the_best_validation(tmp_path: Path) -> None:
    """With a rate that ruins the network after a good start, best and last part ways."""
    run(tmp_path, STEPS=8, VAL_EVERY=1, LR=3.0, WARMUP_STEPS=0, EMA_DECAY=0.0)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    best = max(lines, key=lambda line: line["psnr"])
    assert best["step"] < 8
    weights = load_model(tmp_path / "best.safetensors")
    clips = NoiseClips(2, count=3)  # those that `run` validates on

    def restore(batch: Batch) -> torch.Tensor:
        return weights(batch["blurry"], batch["voxels"], batch["target_time"])

    quality = Validator(clips, World(torch.device("cpu")), 0).measure(restore, lambda *_: None)
    assert quality.psnr == pytest.approx(best["psnr"], abs=1e-6)


def test_one_source_of_clips_has_to_be_named(tmp_path: Path) -> None:
    for photos, data in ((None, None), (tmp_path, tmp_path)):
        with pytest.raises(UsageError, match="--photos"):
            run_training(
                tiny_config(),
                photos=photos,
                data=data,
                output=tmp_path / "run",
                device="cpu",
                report=lambda event: None,
            )
    assert not (tmp_path / "run").exists()


def test_init_copies_the_weights_of_the_same_model(tmp_path: Path) -> None:
    given, started = build_model(tiny_config().network), build_model(tiny_config().network)
    with torch.no_grad():
        for weight in given.parameters():
            weight.add_(torch.rand_like(weight))
    save_model(tmp_path / "given.safetensors", given)
    start_from(started, tmp_path / "given.safetensors")
    for key, value in given.state_dict().items():
        torch.testing.assert_close(started.state_dict()[key], value, rtol=0, atol=0)


def test_init_refuses_another_model_by_its_first_tensor(tmp_path: Path) -> None:
    tree = tiny_config().model_dump(mode="json")
    tree["MODEL"]["VRT"]["EMBED_DIMS"][7:] = [8] * 4
    save_model(tmp_path / "other.safetensors", build_model(config_from_dict(tree).network))
    with pytest.raises(WeightsError, match=r"another model \(tensor vrt\."):
        start_from(build_model(tiny_config().network), tmp_path / "other.safetensors")


def test_init_of_a_model_without_spikes_leaves_the_spike_parts_fresh(tmp_path: Path) -> None:
    tree = tiny_config().model_dump(mode="json")
    tree["MODEL"] |= {"PRIOR": None}
    with_spikes = build_model(config_from_dict(tree).network)
    tree["MODEL"] |= {"USE_SPIKE": False}
    plain = build_model(config_from_dict(tree).network)
    save_model(tmp_path / "plain.safetensors", plain)
    before = {key: value.clone() for key, value in with_spikes.state_dict().items()}
    start_from(with_spikes, tmp_path / "plain.safetensors")
    for key, value in with_spikes.state_dict().items():
        expected = plain.state_dict().get(key, before[key])
        torch.testing.assert_close(value, expected, rtol=0, atol=0)


def test_tensorboard_gets_what_metrics_jsonl_gets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            assert purge_step == 1

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, step))

        def add_image(self, name: str, image: torch.Tensor, step: int) -> None:
            assert image.shape == (3, 16, 48)
            written.append((name, step))

        def flush(self) -> None: ...

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    tree = tiny_config(STEPS=2, VAL_EVERY=2).model_dump(mode="json")
    config = config_from_dict({**tree, "LOG": {"TENSORBOARD": True}})
    run(tmp_path, config=config)
    assert set(written) == {
        (name, step) for step in (1, 2) for name in ("loss", "lr", "seconds", "wait")
    } | {(name, 2) for name in ("psnr", "ssim", "blurry_psnr", "blurry, restored, sharp")}
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match="not installed"):
        run(tmp_path, config=config, resume=True)
