"""The whole network: its table of dimensions, its sizes, its start, and what it must not see."""

import pytest
import torch

from spikedeblur.errors import ConfigError, InputError
from spikedeblur.models.build import build_model
from spikedeblur.models.contract import RestorationModel
from spikedeblur.training.config import load_config
from tests.networks import clip, shaken, tiny

TABLE = {
    (2, 2, 2): [(2, 96, 5, 256, 256), (2, 96, 3, 128, 128), (2, 96, 2, 64, 64), (2, 96, 1, 32, 32)],
    (1, 1, 1): [(2, 96, 5, 256, 256), (2, 96, 5, 128, 128), (2, 96, 5, 64, 64), (2, 96, 5, 32, 32)],
}


@pytest.mark.parametrize("strides", TABLE)
def test_every_row_of_the_dimension_table(strides):
    """B = 2, T = 5, H = W = 256, K = 32, C = 96, on the meta device: shapes without arithmetic."""
    shallow = ["MODEL.VRT.DEPTHS=[2,2,2,2,2,2,2,1,1,1,1]"]
    override = f"MODEL.VRT.TEMPORAL_STRIDES={list(strides)}"
    with torch.device("meta"):
        model = build_model(load_config("vrt_spike_baseline", [override, *shallow]).network)
        rgb, voxels = torch.empty(2, 5, 3, 256, 256), torch.empty(2, 5, 32, 256, 256)
    seen = {}
    branch = model.spikes
    branch.encoder.in_proj.register_forward_pre_hook(lambda _, x: seen.update(permuted=x[0]))
    encoded = branch.encoder(voxels)
    attended = [attend(x) for attend, x in zip(branch.attention, encoded, strict=True)]
    fr, ff = {}, {}

    def fuse(stage, x_BTHWC):
        fr[stage] = x_BTHWC.permute(0, 4, 1, 2, 3)
        fused = branch.fuse(attended, stage, x_BTHWC)
        ff[stage] = fused.permute(0, 4, 1, 2, 3)
        return fused

    features = model.vrt.features(rgb, fuse=fuse)
    out = model.vrt.conv_last(features.permute(0, 4, 1, 2, 3)).transpose(1, 2) + rgb
    spikes = [(2, 96, 5, side, side) for side in (256, 128, 64, 32)]
    assert seen["permuted"].shape == (2, 32, 5, 256, 256)
    assert [tuple(x.shape) for x in encoded] == spikes
    assert [tuple(x.shape) for x in attended] == spikes
    assert [tuple(fr[s].shape) for s in (1, 2, 3, 4)] == TABLE[strides]
    assert [tuple(ff[s].shape) for s in (1, 2, 3, 4)] == TABLE[strides]
    assert out.shape == (2, 5, 3, 256, 256)


@pytest.mark.parametrize("name", ["vrt_gopro", "vrt_spike_baseline"])
def test_untrained_fusion_leaves_vrt_alone_bit_for_bit(name):
    """The spike branch of a fresh model changes nothing: VRT's own output, to the last bit."""
    model = tiny(name)
    shaken(model.vrt)
    rgb, voxels = clip(height=32, width=32)
    with torch.no_grad():
        assert torch.equal(model(rgb, voxels), model.vrt(rgb))


@pytest.mark.parametrize("name", ["small", "vrt_gopro"])
@pytest.mark.parametrize(
    ("height", "width", "frames", "plane"),
    [
        (1, 1, 1, (1, 1)),
        (3, 40, 2, (2, 20)),
        (16, 16, 1, (16, 16)),
        (33, 47, 2, (17, 20)),
        (50, 21, 3, (7, 40)),
        (40, 64, 6, (80, 128)),
    ],
)
def test_any_size_and_length_runs(name, height, width, frames, plane):
    model = shaken(tiny(name))
    rgb, voxels = clip(frames, height, width, plane)
    with torch.no_grad():
        out = model(rgb, voxels)
    assert out.shape == rgb.shape and torch.isfinite(out).all()


def test_batch_of_two_equals_two_batches_of_one():
    model = shaken(tiny("small"))
    rgb, voxels = clip(batch=2)
    times = torch.tensor([-0.3, 0.4])
    with torch.no_grad():
        both = model(rgb, voxels, times)
        for i in range(2):
            one = model(rgb[i : i + 1], voxels[i : i + 1], float(times[i]))
            # Weights at random make a few thousand times as much of the last bit of a picture.
            torch.testing.assert_close(one, both[i : i + 1], atol=2e-3, rtol=0)


def test_target_time_moves_the_output():
    model = shaken(tiny("small"))
    rgb, voxels = clip()
    with torch.no_grad():
        assert (model(rgb, voxels, -0.4) - model(rgb, voxels, 0.4)).abs().max() > 1e-3


def test_checkpointed_gradients_equal_plain_ones():
    rgb, voxels = clip(frames=3, height=32, width=32)
    gradients = []
    for on in ("true", "false"):
        model = shaken(
            tiny(
                "vrt_gopro",
                f"MODEL.VRT.USE_CHECKPOINT_ATTN={on}",
                f"MODEL.VRT.USE_CHECKPOINT_FFN={on}",
            )
        ).train()
        model(rgb, voxels).square().mean().backward()
        gradients.append([p.grad for p in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-5)


def test_every_parameter_learns():
    """After one step away from the zero start, a gradient reaches every tensor of `small`."""
    model = shaken(tiny("small")).train()
    rgb, voxels = clip()
    model(rgb, voxels, 0.1).square().mean().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@pytest.mark.parametrize(
    ("rgb", "voxels", "said"),
    [
        ((1, 5, 3, 0, 40), (1, 5, 8, 4, 20), r"\(1, 5, 3, 0, 40\)"),
        ((1, 5, 4, 32, 40), (1, 5, 8, 16, 20), r"\(1, 5, 4, 32, 40\)"),
        ((1, 5, 3, 32, 40), (1, 4, 8, 16, 20), r"\(1, 4, 8, 16, 20\)"),
        ((1, 5, 3, 32, 40), (1, 5, 32, 16, 20), r"expected \(B, T, 8"),
        ((5, 3, 32, 40), (1, 5, 8, 16, 20), r"\(5, 3, 32, 40\)"),
    ],
)
def test_wrong_shapes_are_named(rgb, voxels, said):
    with pytest.raises(InputError, match=said):
        tiny("small")(torch.zeros(rgb), torch.zeros(voxels))


def test_values_that_are_not_finite_are_refused():
    rgb, voxels = clip()
    rgb[0, 2, 1, 3, 4] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        tiny("small")(rgb, voxels)


def test_frames_are_floats_and_counts_may_be_whole_numbers():
    model, (rgb, voxels) = tiny("small"), clip()
    with torch.no_grad():
        assert torch.equal(model(rgb, voxels.to(torch.uint8)), model(rgb, voxels))
    with pytest.raises(InputError, match=r"\(1, 5, 3, 32, 40\) are torch.uint8 - expected floats"):
        model((rgb * 255).to(torch.uint8), voxels)


def test_spikes_must_come_with_a_model_that_takes_them():
    rgb, voxels = clip(bins=32)
    with pytest.raises(InputError, match="give voxels"):
        tiny("small")(rgb)
    with pytest.raises(InputError, match="omit them"):
        tiny("small", "MODEL.USE_SPIKE=false", "MODEL.REFINER=null")(rgb, voxels)


def test_configuration_that_cannot_be_built_is_an_error_of_ours():
    with pytest.raises(ConfigError, match="embed_dims"):
        tiny("small", "MODEL.VRT.EMBED_DIMS=[8,8,8,8,8,8,16,8,8,8,8]")


def test_it_keeps_the_contract_of_models():
    model = tiny("small", "DATA.CLIP_LEN=4", "MODEL.TARGET_TIME=false")
    assert isinstance(model, RestorationModel)
    assert (model.bins, model.window, model.uses_spikes) == (8, 4, True)
    assert (model.size_multiple, model.any_target_time) == (16, False)
    assert model.channels_per_pixel == model.config.MODEL.REFINER.WIDTHS[0] * 3 / 8
