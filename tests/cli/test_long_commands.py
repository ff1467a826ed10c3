"""What every command that works long has: --threads, --progress, --json, alike on all of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from spikedeblur.cli.main import main, root
from spikedeblur.errors import InputError
from spikedeblur.io.image_files import write_image

LONG = ["deblur", "preview", "align", "voxelize", "simulate", "train", "benchmark", "score"]


@pytest.fixture(autouse=True)
def threads_kept(monkeypatch) -> Iterator[None]:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", LONG)
def test_the_options_are_the_same(name):
    """All the same but for benchmark, which measures several numbers of threads."""
    options = {each.name: each for each in root.get_command(None, name).params}
    assert {"threads", "progress", "as_json"} <= options.keys()
    assert options["progress"].type.choices == ("auto", "plain", "json", "none")
    assert options["threads"].opts == ["--threads"] and options["as_json"].opts == ["--json"]


def commands(recording, tmp_path: Path) -> dict[str, list[str]]:
    blurry, spikes, sharp = (
        str(path) for path in (recording.blurry, recording.spikes, recording.sharp)
    )
    photos = tmp_path / "photos"
    photos.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    write_image(photos / "a.png", noise)
    return {
        "voxelize": [spikes, "--video", blurry, "-o", str(tmp_path / "v.tif")],
        "simulate": [
            *(str(photos), "-o", str(tmp_path / "made"), "--frames", "3"),
            *("--size", "32x32", "--spike-rate", "1000"),
        ],
        "score": [blurry, "--truth", sharp],
        "preview": [blurry, "--spikes", spikes, "--methods", "sdm", "-o", str(tmp_path / "p.png")],
        "benchmark": [str(recording.folder), "--methods", "blurry,sdm", "--no-isolate"],
    }


@pytest.mark.parametrize("name", ["voxelize", "simulate", "score", "preview", "benchmark"])
def test_threads_progress_and_json(name, recording, tmp_path, capsys):
    words = commands(recording, tmp_path)[name]
    assert main([name, *words, "--threads", "2", "--progress", "json", "--json"]) == 0
    captured = capsys.readouterr()
    assert torch.get_num_threads() == 2
    told = [json.loads(line) for line in captured.out.splitlines()]
    if name in ("voxelize", "simulate"):
        assert told[0]["event"] == "progress" and told[-1]["event"] == "done"
        assert told[-1]["frames"] == (7 if name == "voxelize" else 3)
        assert told[-1]["output"].startswith(str(tmp_path)) and told[-1]["warnings"] == 0
    else:
        assert len(told) == 1  # one object, which others rely on
        events = [line for line in captured.err.splitlines() if line.startswith("{")]
        assert json.loads(events[0])["event"] == "progress"


def test_align_counts_its_steps(recording, tmp_path, capsys, monkeypatch):
    """Reading frames, reading spikes, searching, refining; of which the third fails here."""

    def fails(*_: object, **__: object) -> None:
        raise InputError("nothing found - try")

    monkeypatch.setattr("spikedeblur.alignment.estimation.search", fails)
    words = [str(recording.blurry), "--spikes", str(recording.spikes), "-o", str(tmp_path / "s")]
    assert main(["align", *words, "--threads", "2", "--progress", "json"]) == 1
    captured = capsys.readouterr()
    events = [json.loads(line) for line in captured.err.splitlines() if line.startswith("{")]
    assert (events[0]["frames"], events[0]["total"]) == (1, 4) and torch.get_num_threads() == 2


def test_train_ends_with_one_object(tmp_path, capsys, monkeypatch):
    """Training itself is stubbed: what is said before and after it is what is asked."""
    monkeypatch.setattr("spikedeblur.training.run.run_training", lambda *_, **__: None)
    photos = str(tmp_path)
    words = ["--photos", photos, "-o", str(tmp_path / "run"), "--json", "--threads", "2"]
    assert main(["train", *words]) == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert done["event"] == "done" and done["output"] == str(tmp_path / "run")
    assert torch.get_num_threads() == 2
