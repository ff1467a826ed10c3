"""What is told of weights, and whence it is known."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from spikedeblur.cli.main import main
from spikedeblur.inspection.weights import describe_weights
from spikedeblur.models.checkpoint import packaged_weights, weights_path

UNKNOWN = {"steps": None, "validation_psnr_db": None, "data": None, "licence": None}


def about(path: Path) -> dict[str, object]:
    found = describe_weights(path)
    return {name: found[name] for name in UNKNOWN}


@pytest.fixture
def own(tiny_weights, tmp_path) -> Path:
    return Path(shutil.copy(tiny_weights, tmp_path / "best.safetensors"))


def test_info_knows_the_shipped_weights_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["info", "small", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["file"], found["kind"], found["window"]) == ("small", "weights", 5)
    assert found["licence"] == "Apache-2.0" and "photographs" in found["data"]
    card = (Path(__file__).parents[2] / "docs" / "model-card.md").read_text(encoding="utf-8")
    assert f"{found['steps']:,} steps" in card
    assert found["parameters"] == pytest.approx(
        float(re.search(r"([\d.]+) million p", card)[1]) * 1e6, rel=0.01
    )
    row = r"^\| `[\w-]+` \|[^|]+\|[^|]+dB \|[^|]+dB \| ([\d.]+) dB \|$"  # protocol to net
    means = [float(net) for net in re.findall(row, card, re.MULTILINE)]
    assert len(means) == 3
    assert found["validation_psnr_db"] == pytest.approx(sum(means) / len(means), abs=0.02)
    Path("small").write_text("a file of that name")
    assert main(["info", "small"]) == 1  # is what is meant, and no video
    assert main(["info", "smal"]) == 1
    assert "there is no file smal" in capsys.readouterr().err


def test_what_is_told_of_shipped_weights_is_of_these_very_files():
    for name in packaged_weights():
        assert None not in about(weights_path(name)).values(), f"bring {name}.toml up to date"


def test_a_card_of_other_weights_is_not_believed(own):
    assert about(own) == UNKNOWN
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    card = own.with_suffix(".toml")
    card.write_text(f'sha256 = "{digest}"\nsteps = 7\nlicence = "CC0"\ndata = 5\nother = 1\n')
    assert about(own) == {**UNKNOWN, "steps": 7, "licence": "CC0"}
    for text in ('sha256 = "0"\nsteps = 7\n', "no toml", "\xff"):
        card.write_text(text, encoding="latin-1")
        assert about(own) == UNKNOWN


def test_the_weights_of_a_run_are_told_by_its_metrics(own):
    rows = [
        {"step": 10, "loss": 1.0},
        {"step": 20, "loss": 1.0, "psnr": 25.5},
        {"step": 30, "loss": 1.0, "psnr": 24.5},
        {"step": 40, "loss": 1.0},
    ]
    lines = [json.dumps(row) for row in rows]
    own.with_name("metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 5')
    last = Path(shutil.copy(own, own.with_name("last.safetensors")))
    other = Path(shutil.copy(own, own.with_name("other.safetensors")))
    assert about(own) == {**UNKNOWN, "steps": 20, "validation_psnr_db": 25.5}
    assert about(last) == {**UNKNOWN, "steps": 40, "validation_psnr_db": 24.5}
    assert about(other) == UNKNOWN
