"""Work on a few frames at a time: the same result, in memory that one frame's planes bound."""

from __future__ import annotations

import weakref
from itertools import chain

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from spikedeblur.models import clip_conv
from spikedeblur.models.build import build_model
from spikedeblur.prior import chunks
from spikedeblur.training.config import load_config

SIDE = 48


WIDTHS = [32, 48, 64, 80, 64, 48, 32, 32, 32, 32, 32]


class LiveBytes(TorchDispatchMode):
    """Bytes of the tensors made within it that are alive, and the most there were at once."""

    def __init__(self, given):
        super().__init__()
        self.alive = {tensor.untyped_storage()._cdata for tensor in given}
        self.now, self.peak = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.count(tensor.untyped_storage())
        return out

    def count(self, storage):
        key, size = storage._cdata, storage.nbytes()
        if key not in self.alive:
            self.alive.add(key)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.forget, key, size)

    def forget(self, key, size):
        self.alive.discard(key)
        self.now -= size


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = load_config(
        "small",
        [
            "MODEL.REFINER=null",
            "MODEL.PRIOR={INPUT_LINEARITY: true, INPUT_MISMATCH: true, INPUT_MOTION: true}",
            f"MODEL.CHANNELS_PER_SCALE={WIDTHS[:4]}",
            f"MODEL.VRT.EMBED_DIMS={WIDTHS}",
            "MODEL.VRT.WINDOW_SIZE=[6,4,4]",
            f"MODEL.VRT.DEPTHS={[1] * 11}",
            f"MODEL.SPIKE_TSA.CHUNK_SIZE={SIDE // 8}",
            f"MODEL.FUSE.CHUNK_SIZE={SIDE // 8}",
        ],
    )
    return build_model(config.network).eval()


def window(frames, plane=SIDE // 2):
    generator = torch.Generator().manual_seed(frames)
    counts = torch.poisson(torch.full((1, frames, 32, plane, plane), 0.5), generator=generator)
    return torch.rand(1, frames, 3, SIDE, SIDE, generator=generator), counts


def planes_of_a_pass(model, frames, plane):
    """The most memory that a pass has taken at once, in float32 planes of all frames' size."""
    inputs = window(frames, plane)
    with torch.inference_mode(), LiveBytes([*model.parameters(), *inputs]) as live:
        model(*inputs)
    return live.peak / (4 * frames * SIDE * SIDE)


def test_pieces_cover_all_frames_once():
    for frames, size in ((1, (1000, 1000)), (7, (200, 300)), (10, (128, 128)), (5, (368, 640))):
        numbers = [list(range(frames))[piece] for piece in chunks.chunks(frames, size)]
        assert list(chain.from_iterable(numbers)) == list(range(frames))


def test_large_frames_go_one_by_one_and_training_crops_together():
    assert len(list(chunks.chunks(5, (368, 640)))) == 5
    assert len(list(chunks.chunks(2 * 5, (128, 128)))) == 1


@pytest.mark.parametrize("plane", [SIDE // 2, 30])
def test_result_does_not_depend_on_pieces(model, monkeypatch, plane):
    inputs = window(3, plane)
    with torch.inference_mode():
        together = model(*inputs)
        monkeypatch.setattr(chunks, "PIECE_PIXELS", 1)
        torch.testing.assert_close(model(*inputs), together, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("plane", "most"), [(SIDE // 2, 72), (SIDE, 90)])
def test_memory_of_a_pass(model, monkeypatch, plane, most):
    """What grows with the frames are features: 32 channels at half size are 8 planes of full size.

    With candidates and their weights of all frames at once (13 planes each, and more on the way)
    it is 113 on a spike plane of half the size and 387 on one of the frame's.
    """
    monkeypatch.setattr(chunks, "PIECE_PIXELS", SIDE * SIDE)
    monkeypatch.setattr(clip_conv, "NATIVE_UP_TO", 0)  # large frames take the way of less memory
    assert planes_of_a_pass(model, 8, plane) < most
