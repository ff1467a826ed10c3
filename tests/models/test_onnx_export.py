"""The exported graph in onnxruntime, beside the network in torch. Needs the extra `export`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import spikedeblur
from spikedeblur import load_model
from spikedeblur.cli.main import main
from spikedeblur.errors import CallError, UsageError, WeightsError
from spikedeblur.models.onnx_export import export_onnx
from tests.documents import ROOT, blocks
from tests.networks import clip, tiny
from tests.props import lay_out

EXAMPLE = next(b for b in blocks(ROOT / "docs" / "export.md") if b.language == "python")


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Path:
    """The shipped network for clips of 4 frames."""
    pytest.importorskip("onnxscript")
    path = tmp_path_factory.mktemp("graph") / "net.onnx"
    assert main(["export", "small", "-o", str(path), "--window", "4"]) == 0
    return path


def run(path: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (sharp,) = session.run(["sharp"], inputs)
    return sharp


@pytest.mark.slow
def test_results_are_those_of_torch_at_any_size(graph):
    model = load_model()
    for height, width, time in ((32, 32, 0.0), (40, 61, 0.25), (144, 112, -0.5), (136, 330, 0.1)):
        rgb, voxels = clip(6, height, width, (height // 2, width // 2), bins=32)
        kept, frames = slice(1, 5), np.moveaxis(rgb[0].numpy(), 1, -1)
        expected = model(rgb, voxels, time, kept)[0].detach().numpy()
        inputs = spikedeblur.graph_inputs(frames, voxels[0].numpy(), kept=kept, target_time=time)
        sharp = run(graph, inputs)[:, :, :height, :width]
        assert np.abs(expected - rgb[0, kept].numpy()).max() > 0.01  # it does something
        np.testing.assert_allclose(sharp, expected, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_one_file_says_what_it_takes_and_what_is_outside(graph):
    onnx = pytest.importorskip("onnx")
    assert [path.name for path in graph.parent.iterdir()] == ["net.onnx"]
    model = onnx.load(graph)
    onnx.checker.check_model(model)
    (entry,) = (each for each in model.metadata_props if each.key == "spikedeblur")
    about = json.loads(entry.value)
    assert {"read", "pad", "clip", "voxelize", "clamp"} == about["outside"].keys()
    shapes = {
        each.name: [size.dim_value for size in each.type.tensor_type.shape.dim]
        for each in model.graph.input
    }
    assert about["frames"] == 4 and shapes == {
        "pictures": [4, len(about["pictures"]), 3, 0, 0],
        "maps": [4, len(about["maps"]), 0, 0],
        "rates": [4, about["bins"], 0, 0],
    }


@pytest.mark.slow
def test_the_example_of_the_page_runs(graph, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.onnx").symlink_to(graph)
    names: dict[str, object] = {}
    exec(compile(EXAMPLE.text, str(EXAMPLE), "exec"), names)
    options = {"fps": 200, "rate_hz": 20_000, "window": 4}
    expected = spikedeblur.deblur(names["frames"], names["spikes"], **options)
    difference = np.abs(names["sharp"].astype(int) - expected)
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01


def test_a_network_without_such_a_graph_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("spikedeblur.models.onnx_export.PACKAGES", ())
    for name, seen in (("small", "PA_FRAMES: 2"), ("vrt_gopro", "PA_FRAMES: 2")):
        model = tiny(name, "MODEL.VRT.PA_FRAMES=2")
        with pytest.raises(WeightsError, match=seen):
            export_onnx(model, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_what_lacks_is_said_before_anything_is_written(tmp_path, monkeypatch, tiny_weights):
    monkeypatch.setattr("spikedeblur.models.onnx_export.PACKAGES", ("onnx_of_another_planet",))
    with pytest.raises(UsageError, match=r"onnx_of_another_planet .*spikedeblur\[export\]"):
        spikedeblur.export(tiny_weights, output=tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
    with pytest.raises(CallError, match="no window has 0 frames"):
        spikedeblur.export(tiny_weights, output=tmp_path / "net.onnx", window=0)


def test_inputs_that_do_not_fit_together_are_named():
    frames, voxels = np.zeros((2, 8, 8, 3), np.uint8), np.zeros((2, 32, 4, 4))
    with pytest.raises(CallError, match=r"frames of shape \(2, 8, 8\)"):
        spikedeblur.graph_inputs(frames[..., 0], voxels)
    with pytest.raises(CallError, match="with 2 frames"):
        spikedeblur.graph_inputs(frames, voxels[:1])
    inputs = spikedeblur.graph_inputs(frames, voxels)
    assert inputs["pictures"].shape == (2, 4, 3, 32, 32)
    assert inputs["rates"].shape == (2, 32, 16, 16)
