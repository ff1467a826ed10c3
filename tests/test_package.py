"""The package itself: public names, loaded when used; devices; memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import spikedeblur
from spikedeblur.errors import UsageError
from spikedeblur.machine.device import autocast, choose_device, choose_precision
from spikedeblur.machine.memory import available_bytes, give_back_freed, peak_rss_mb, reset_peak


def test_public_names_are_there_and_cost_nothing_until_used():
    code = (
        "import sys, spikedeblur; assert not {'numpy', 'torch', 'av'} & set(sys.modules); "
        "from spikedeblur import SpikeStream, voxelize; assert 'torch' not in sys.modules; "
        "from spikedeblur import Deblurrer, load_model"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    promised = {"SpikeStream", "voxelize", "Deblurrer", "load_model"}
    assert promised <= set(spikedeblur.__all__) <= set(dir(spikedeblur))
    for name in set(spikedeblur.__all__) - {"__version__"}:
        assert getattr(spikedeblur, name).__name__ == name
    assert spikedeblur.SpikeOptions is spikedeblur.RecordingSettings  # its former name
    assert isinstance(spikedeblur.__version__, str)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = spikedeblur.nonsense


def test_devices_and_precisions():
    cpu = choose_device("cpu")
    assert cpu.type == "cpu" and choose_device("auto").type in ("cpu", "cuda", "mps")
    assert choose_precision("auto", cpu) == "fp32" and choose_precision("bf16", cpu) == "bf16"
    for name in ("abacus", "cuda:77", "cpu:3", "meta", "", "cuda:x"):
        with pytest.raises(UsageError):
            choose_device(name)
    with pytest.raises(UsageError, match="CUDA"):
        choose_precision("fp16", cpu)


def test_every_process_of_torchrun_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert choose_device("auto") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda:2")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    monkeypatch.setenv("LOCAL_RANK", "4")
    with pytest.raises(UsageError, match="cuda:4"):
        choose_device("auto")


@pytest.mark.parametrize("has_bf16", [True, False])
def test_a_precision_that_is_slow_here_is_warned_of(has_bf16, monkeypatch, caplog):
    monkeypatch.setattr("spikedeblur.machine.device.computes_bf16", lambda device: has_bf16)
    for precision in ("auto", "fp32"):
        choose_precision(precision, torch.device("cpu"))
    assert not caplog.records
    assert choose_precision("bf16", torch.device("cpu")) == "bf16"
    assert ("no instructions for bf16" in caplog.text) is not has_bf16


def test_autocast_computes_in_the_precision():
    a = torch.rand(8, 8)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with autocast(precision, torch.device("cpu")):
            assert (a @ a).dtype == dtype


def test_memory_figures_are_sane():
    assert 10**7 < available_bytes() < 10**14
    give_back_freed()  # what earlier tests left behind would be taken first
    reset_peak()
    before = peak_rss_mb()
    block = np.ones(200_000_000, np.uint8)
    assert 180 < peak_rss_mb() - before < 230
    del block
