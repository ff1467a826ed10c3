"""What many tests need: one small recording, made once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from spikedeblur.io.guards.limits import DEFAULT_MAX_PIXELS, set_max_pixels
from tests.recordings import Recording, make_recording

# Small tensors only: threads would wait for each other, the more so on a busy machine. Read when
# torch is first imported, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Settings of whoever runs the tests are not theirs.
for name in [name for name in os.environ if name.startswith("SPIKEDEBLUR_")]:
    del os.environ[name]
os.environ["XDG_CONFIG_HOME"] = os.devnull
# What a shell starts in the background ignores Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def limit_kept() -> Iterator[None]:
    """Take back the limit that `--max-pixels` set for the whole process."""
    yield
    set_max_pixels(DEFAULT_MAX_PIXELS)


@pytest.fixture
def small_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the rate of the machine be that of a convolution which takes no time."""
    shape = (1, 32, 2, 8, 8)
    monkeypatch.setattr("spikedeblur.benchmarking.operations.CONV_SHAPE", shape)
    monkeypatch.setattr("spikedeblur.benchmarking.operations.RATE_SHAPE", shape)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A recording of seven frames; read it, do not change it."""
    return make_recording(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the shipped geometry with few channels, as initialised."""
    import torch

    from spikedeblur.models.build import build_model
    from spikedeblur.models.checkpoint import save_model
    from spikedeblur.training.config import load_config

    config = load_config(
        "small",
        [
            f"MODEL.CHANNELS_PER_SCALE={[8] * 4}",
            f"MODEL.VRT.EMBED_DIMS={[8] * 11}",
            f"MODEL.VRT.DEPTHS={[1] * 11}",
        ],
    )
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, build_model(config.network))
    return path
