"""Weights files: what is written reads back, what is foreign or hostile is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from pydantic import create_model
from safetensors.torch import load_file, save_file

from spikedeblur.errors import ConfigError, WeightsError
from spikedeblur.models.build import build_model
from spikedeblur.models.checkpoint import HEADER, load_model, save_model
from spikedeblur.models.sections import RENAMED, Section
from spikedeblur.models.vrt import VRT
from spikedeblur.training import config as training_config
from spikedeblur.training.config import Config, load_config
from tests.networks import clip, shaken, tiny

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture
def written(tmp_path):
    model = shaken(tiny("small"))
    path = tmp_path / "m.safetensors"
    save_model(path, model)
    return model, path


def test_a_file_restores_the_model_that_wrote_it(written):
    model, path = written
    again = load_model(path)
    assert again.config == model.config and not again.training
    rgb, voxels = clip()
    with torch.no_grad():
        assert torch.equal(again(rgb, voxels), model(rgb, voxels))


def header_of(path):
    with safetensors.safe_open(path, "pt") as file:
        return json.loads(file.metadata()[HEADER])


def test_a_file_holds_the_model_and_nothing_of_its_training(written):
    _, path = written
    assert header_of(path).keys() == {"format", "bins", "window", "MODEL"}
    assert header_of(FIXTURES.parents[1] / "spikedeblur/weights/small.safetensors")["format"] == 2


def test_a_file_loads_after_a_training_key_is_renamed(written, monkeypatch):
    model, path = written

    class Renamed(Section):
        ITERATIONS: int = 1

    changed = create_model("Config", __base__=Config, TRAIN=(Renamed, Renamed()))
    monkeypatch.setattr(training_config, "Config", changed)
    with pytest.raises(ConfigError, match="unknown key TRAIN"):
        load_config("small")
    assert load_model(path).config == model.config
    assert load_model(FIXTURES / "format_1.safetensors").config.bins == 3


def test_a_file_of_format_1_is_read(tmp_path):
    """Its header held the configuration of the run; the model's part is taken."""
    path = FIXTURES / "format_1.safetensors"
    model = load_model(path)
    assert (model.config.bins, model.config.window) == (3, 4)
    assert model.config.MODEL.VRT.EMBED_DIMS == (4,) * 11
    parameters = dict(model.named_parameters())
    held = load_file(path)
    assert held.keys() == parameters.keys()
    assert all(torch.equal(held[name].float(), parameters[name]) for name in held)
    save_model(tmp_path / "again.safetensors", model)
    assert load_model(tmp_path / "again.safetensors").config == model.config


def test_old_spellings_of_keys_are_read(written, monkeypatch):
    model, path = written
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"TARGET_TIME", b"TARGET_OLD_"))
    with pytest.raises(WeightsError, match=r"unknown key MODEL\.TARGET_OLD_"):
        load_model(path)
    monkeypatch.setitem(RENAMED, "MODEL.TARGET_OLD_", "MODEL.TARGET_TIME")
    monkeypatch.setitem(RENAMED, "TRAIN.RATE", "TRAIN.LR")
    assert load_model(path).config == model.config
    config = load_config("small", ["TRAIN.RATE=0.5", "MODEL.TARGET_OLD_=false"])
    assert config == load_config("small", ["TRAIN.LR=0.5", "MODEL.TARGET_TIME=false"])


def test_a_format_of_the_future_is_named(written):
    _, path = written
    path.write_bytes(path.read_bytes().replace(b'format\\": 2', b'format\\": 7'))
    with pytest.raises(WeightsError, match="format 7, not 2"):
        load_model(path)


def test_half_precision_halves_the_file_and_loads_as_fp32(written, tmp_path):
    model, path = written
    half = tmp_path / "half.safetensors"
    save_model(half, model, torch.float16)
    assert half.stat().st_size < 0.7 * path.stat().st_size
    loaded = load_model(half)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    rgb, voxels = clip()
    with torch.no_grad():
        assert (loaded(rgb, voxels) - model(rgb, voxels)).abs().mean() < 2e-3


def official_checkpoint(path):
    """The published fixture's weights, saved as the official files are."""
    description = json.loads((FIXTURES / "tiny_vrt.json").read_text())
    arrays = np.load(FIXTURES / "tiny_vrt.npz")
    vrt = VRT(**description["config"])
    state = vrt.state_dict()
    for key in arrays.files:
        if key.startswith("w/"):
            state[key[2:]] = torch.from_numpy(arrays[key].astype(np.float32))
    vrt.load_state_dict(state)
    torch.save({"params": vrt.state_dict()}, path)
    return vrt.eval()


def test_official_checkpoint_loads_with_its_own_geometry(tmp_path):
    path = tmp_path / "006_VRT.pth"
    vrt = official_checkpoint(path)
    model = load_model(path)
    rgb = torch.rand(1, 6, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(rgb), vrt(rgb))


def test_official_geometry_is_deduced_from_names_and_shapes_alone(tmp_path):
    vrt = VRT(num_heads=[6] * 11, deformable_groups=16)
    for parameter in vrt.parameters():
        parameter.data.zero_()
    torch.save({"params": vrt.state_dict()}, tmp_path / "gopro.pth")
    deduced = load_model(tmp_path / "gopro.pth").config.MODEL.VRT
    expected = load_config("vrt_gopro").MODEL.VRT
    free = {"USE_CHECKPOINT_ATTN", "USE_CHECKPOINT_FFN"}  # no weights tell of these
    assert deduced.model_dump(exclude=free) == expected.model_dump(exclude=free)


def test_damaged_and_foreign_files_are_refused(written, tmp_path):
    _, path = written
    whole = path.read_bytes()
    cases = {
        "cut.safetensors": whole[: len(whole) // 2],
        "empty.safetensors": b"",
        "text.safetensors": b"hello " * 100,
        "text.pth": b"hello " * 100,
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(WeightsError, match=name.split(".")[0]):
            load_model(tmp_path / name)
    save_file({"x": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="not a model that this program can read"):
        load_model(tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="no weights nowhere"):
        load_model("nowhere")


def rewritten(path, change):
    """The file with its tensors changed, its metadata kept."""
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    state = load_file(path)
    change(state)
    save_file(state, path, metadata=metadata)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("refiner.last.bias"), "lacks tensor refiner.last.bias"),
        (lambda s: s.update(extra=torch.zeros(1)), "unknown tensor extra"),
        (lambda s: s.update({"refiner.last.bias": torch.zeros(1)}), r"refiner.last.bias is \(1,\)"),
        (lambda s: s["refiner.last.bias"].fill_(float("nan")), "not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_named(written, change, said):
    _, path = written
    rewritten(path, change)
    with pytest.raises(WeightsError, match=said):
        load_model(path)


def test_fresh_models_of_one_seed_are_equal():
    first, second = (build_model_seeded() for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.values(), second.values(), strict=True))


def build_model_seeded():
    torch.manual_seed(3)
    return build_model(load_config("small").network).state_dict()
