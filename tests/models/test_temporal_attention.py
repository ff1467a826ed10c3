"""Attention along time: against torch's own layer, by chunks, and in its sense of time."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedeblur.models.config import ChunkConfig, FuseConfig, TemporalAttentionConfig
from spikedeblur.models.fusion import MultiScaleTemporalCrossAttnFuse, TemporalCrossAttnFuse
from spikedeblur.models.temporal_attention import (
    SpikeTemporalSA,
    TemporalAttention,
    chunk_rectangles,
)


def randomised(module, seed=0):
    """Weights away from their zero start, so that every branch is seen."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return module.eval()


def test_attention_agrees_with_torch_multihead_attention():
    config = TemporalAttentionConfig(HEADS=2, TIME_POSITION=False)
    ours = randomised(TemporalAttention(8, config))
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
    theirs.in_proj_weight.data = torch.cat([ours.q.weight, ours.kv.weight]).detach()
    theirs.in_proj_bias.data = torch.cat([ours.q.bias, ours.kv.bias]).detach()
    theirs.out_proj.load_state_dict(ours.proj.state_dict())
    query, keys = torch.randn(2, 3, 4, 5, 8), torch.randn(2, 5, 4, 5, 8)

    def sequences(x):
        return x.permute(0, 2, 3, 1, 4).flatten(0, 2)

    expected = theirs(sequences(query), sequences(keys), sequences(keys))[0]
    torch.testing.assert_close(sequences(ours(query, keys)), expected, atol=1e-5, rtol=1e-5)


def test_pixels_do_not_see_each_other():
    attention = randomised(SpikeTemporalSA(8))
    x = torch.randn(1, 8, 3, 4, 4)
    changed = x.clone()
    changed[..., 2, 1] += 1
    difference = (attention(x) - attention(changed)).abs().amax(dim=(0, 1, 2))
    assert difference[2, 1] > 1e-3
    difference[2, 1] = 0
    assert difference.max() < 1e-6


@pytest.mark.parametrize("timed", [True, False])
def test_only_the_time_code_tells_before_from_after(timed):
    """Reversing the frames reverses the output unless attention knows the time."""
    attention = randomised(SpikeTemporalSA(8, TemporalAttentionConfig(TIME_POSITION=timed)))
    x = torch.randn(1, 8, 5, 2, 2)
    gap = (attention(x.flip(2)).flip(2) - attention(x)).abs().max()
    assert (gap > 1e-3) if timed else (gap < 1e-5)


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    batch=st.integers(1, 4),
    tokens=st.integers(1, 5000),
    side=st.integers(1, 64),
    shape=st.sampled_from(["square", "wide", "tall"]),
)
@settings(max_examples=60, deadline=None)
def test_chunks_cover_every_pixel_once_within_their_bounds(
    height, width, batch, tokens, side, shape
):
    config = ChunkConfig(MAX_BATCH_TOKENS=tokens, CHUNK_SIZE=side, CHUNK_SHAPE=shape)
    seen = torch.zeros(height, width)
    for row in chunk_rectangles(height, width, batch, config):
        for ys, xs in row:
            seen[ys, xs] += 1
            pixels = seen[ys, xs].numel()
            assert pixels <= side**2
            assert pixels * batch <= max(tokens, batch)
    assert (seen == 1).all()


@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
def test_chunked_equals_whole(shape):
    chunked = FuseConfig(HEADS=2, CHUNK_SIZE=3, CHUNK_SHAPE=shape)
    whole = chunked.model_copy(update={"ADAPTIVE_CHUNK": False})
    frames, spikes = torch.randn(2, 8, 3, 10, 7), torch.randn(2, 8, 5, 10, 7)
    module = randomised(TemporalCrossAttnFuse(8, chunked))
    parts = module(frames, spikes)
    module.config = whole
    torch.testing.assert_close(parts, module(frames, spikes), atol=1e-6, rtol=1e-6)


def test_untrained_fusion_is_identity_bit_for_bit():
    frames = [torch.randn(2, 8, t, 6, 6) for t in (5, 3, 2, 1)]
    spikes = [torch.randn(2, 8, 5, 6, 6) for _ in frames]
    fused = MultiScaleTemporalCrossAttnFuse((8,) * 4, query_strides=(1, 2, 4, 8))(frames, spikes)
    assert all(torch.equal(a, b) for a, b in zip(fused, frames, strict=True))


def test_fusion_refuses_planes_that_differ():
    with pytest.raises(ValueError, match="differ in height or width"):
        TemporalCrossAttnFuse(8)(torch.zeros(1, 8, 2, 4, 4), torch.zeros(1, 8, 2, 4, 5))
