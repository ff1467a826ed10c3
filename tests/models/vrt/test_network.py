"""Options and sizes of VRT: shapes, equivalences, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from spikedeblur.models.vrt import VRT

Make = Callable[..., VRT]
CONV = ("conv",) * 8


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_any_number_of_frames(make_small: Make, frames: int) -> None:
    clip = torch.rand(1, frames, 3, 64, 64)
    with torch.no_grad():
        out = make_small()(clip)
    assert out.shape == clip.shape
    assert out.isfinite().all()


@pytest.mark.parametrize(
    ("frames", "strides", "expected"),
    [(5, (2, 2, 2), [5, 3, 2, 1]), (5, (1, 2, 1), [5, 5, 3, 3]), (1, (2, 2, 2), [1, 1, 1, 1])],
)
def test_temporal_strides(
    make_small: Make, frames: int, strides: tuple[int, ...], expected: list[int]
) -> None:
    seen: list[int] = []

    def fuse(_stage: int, x: Tensor) -> Tensor:
        seen.append(x.shape[1])
        return x

    clip = torch.rand(1, frames, 3, 64, 64)
    model = make_small(temporal_strides=strides)
    with torch.no_grad():
        assert model(clip, fuse).shape == clip.shape
    assert seen == expected
    assert model.state_dict().keys() == make_small().state_dict().keys()


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_fused_features_reach_the_result(make_small: Make, stage: int) -> None:
    model = make_small(pa_frames=0, blocks=CONV)
    clip = torch.rand(1, 2, 3, 16, 16)

    def fuse(number: int, x: Tensor) -> Tensor:
        return x + 1 if number == stage else x

    with torch.no_grad():
        assert not torch.equal(model(clip, fuse), model(clip))


def test_batch_of_two_is_two_of_one(make_small: Make) -> None:
    model = make_small(window_size=(4, 4, 4), depths=(3,) * 7 + (2,) * 4).eval()
    clips = torch.rand(2, 3, 3, 40, 32)
    with torch.no_grad():
        whole = model(clips)
        parts = torch.cat([model(clip[None]) for clip in clips])
    torch.testing.assert_close(whole, parts, atol=1e-5, rtol=1e-4)


def test_recomputed_gradients_equal_plain_ones(make_small: Make) -> None:
    clip = torch.rand(1, 2, 3, 32, 32)
    gradients = []
    for recompute in (False, True):
        model = make_small(
            window_size=(4, 4, 4), use_checkpoint_attn=recompute, use_checkpoint_ffn=recompute
        )
        model(clip).square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    assert all(gradient is not None for gradient in gradients[0].values())
    torch.testing.assert_close(gradients[1], gradients[0])


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"window_size": (4, 4, 4)}, (1, 5, 3, 32, 40)),
        ({"mul_attn_ratio": 0}, (1, 2, 3, 8, 16)),
        ({"blocks": CONV}, (2, 3, 3, 8, 16)),
        ({"blocks": CONV, "pa_frames": 0, "in_chans": 7}, (1, 3, 7, 16, 8)),
        (
            {
                "blocks": ("conv", "conv", "tmsa", "tmsa", "tmsa", "conv", "conv", "conv"),
                "embed_dims": (8, 12, 16, 20, 16, 12, 8, 8, 8, 8, 8),
                "window_size": (4, 4, 4),
            },
            (1, 3, 3, 32, 32),
        ),
    ],
)
def test_variants_train_every_parameter(
    make_small: Make, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    model = make_small(drop_path_rate=0.1, **options)
    out = model(torch.rand(shape))
    assert out.shape == (*shape[:2], 3, *shape[3:])
    out.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_without_alignment_there_is_no_flow(make_small: Make) -> None:
    model = make_small(pa_frames=0, blocks=CONV)
    assert not [name for name in model.state_dict() if "spynet" in name or "pa_" in name]
    assert model.conv_first.weight.shape[1] == 3


def test_guide_gives_the_flow_and_the_images(make_small: Make) -> None:
    model = make_small(blocks=CONV, in_chans=5).eval()
    clip = torch.rand(1, 2, 5, 32, 32)
    with torch.no_grad():
        plain = model.features(clip)
        assert plain.shape == (1, 2, 32, 32, 8)
        assert torch.equal(plain, model.features(clip, guide=clip[:, :, :3]))
        assert not torch.equal(plain, model.features(clip, guide=clip[:, :, :3].flip(1)))
        with pytest.raises(ValueError, match="guide"):
            model.features(clip, guide=clip)


def test_zero_init_returns_the_clip_and_reaches_the_body(make_small: Make) -> None:
    model = make_small(zero_init=True, pa_frames=0, window_size=(4, 4, 4))
    clip = torch.rand(1, 2, 3, 32, 32)
    assert torch.equal(model(clip), clip)
    model.features(clip).square().mean().backward()
    assert model.stage1.linear2.weight.grad.abs().max() > 0


def test_drop_path_leaves_evaluation_alone(make_small: Make) -> None:
    clip = torch.rand(1, 2, 3, 16, 16)
    options = {"mul_attn_ratio": 0, "pa_frames": 0}
    dropping, plain = make_small(drop_path_rate=0.5, **options), make_small(**options).eval()
    with torch.no_grad():
        assert not torch.equal(dropping(clip), plain(clip))
        assert torch.equal(dropping.eval()(clip), plain(clip))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"upscale": 4}, "upscale must be 1, got 4"),
        ({"pa_frames": 4}, "pa_frames must be 0 or 2"),
        ({"window_size": (6, 8)}, "window_size must be three"),
        ({"depths": (2,) * 7}, "depths, embed_dims and num_heads need"),
        ({"blocks": ("tmsa",) * 7}, "blocks must be 8"),
        ({"blocks": ("mlp",) * 8}, "blocks must be 8"),
        ({"temporal_strides": (1, 3, 1)}, "temporal_strides must be 3 of 1 and 2"),
        ({"embed_dims": (8, 8, 8, 8, 12, 8, 8, 8, 8, 8, 8)}, "stage 5 is added to"),
        ({"embed_dims": (8, 8, 8, 10, 8, 8, 8, 8, 8, 8, 8)}, "multiple of 4, got 10"),
        ({"embed_dims": (8,) * 7 + (12, 12, 8, 8)}, "stage 8 need one width"),
        ({"num_heads": (3,) * 11}, "multiple of its num_heads"),
        ({"deformable_groups": 3}, "multiples of deformable_groups"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    make_small: Make, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_small(**options)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 2, 3, 64, 60), "multiples of 8, got 64 x 60"),
        ((1, 2, 3, 56, 64), "at least 64 x 64 pixels.*got 56 x 64"),
        ((1, 2, 4, 64, 64), r"clip must be \(N, T, 3, H, W\)"),
        ((2, 3, 64, 64), "clip must be"),
    ],
)
def test_clips_that_do_not_fit_are_refused(
    make_small: Make, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_small()(torch.rand(shape))


def test_dimension_table_on_the_meta_device(make_small: Make) -> None:
    """Shapes alone: plans, flows and alignment need no values."""
    with torch.device("meta"):
        model = make_small(temporal_strides=(2, 2, 2))
        clip = torch.empty(1, 5, 3, 128, 128)
    seen: list[tuple[int, ...]] = []

    def fuse(_stage: int, x: Tensor) -> Tensor:
        seen.append(tuple(x.shape))
        return x

    assert model(clip, fuse).shape == clip.shape
    assert seen == [(1, 5, 128, 128, 8), (1, 3, 64, 64, 8), (1, 2, 32, 32, 8), (1, 1, 16, 16, 8)]
