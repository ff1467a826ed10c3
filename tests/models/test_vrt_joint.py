"""The network around the joint picture: what it starts as, and what its frames depend on."""

import pytest
import torch

from spikedeblur.errors import InputError
from spikedeblur.models.refiner import FrameRefiner
from spikedeblur.prior import chunks
from spikedeblur.prior.features import PICTURES, prior_features
from tests.networks import shaken, tiny
from tests.prior.moving import Moving


@pytest.fixture(scope="module")
def model():
    return tiny("small", "DATA.K=32", "MODEL.VRT.DEPTHS=[1,1,1,1,1,1,1,1,1,1,1]")


@pytest.fixture(scope="module")
def shown():
    """A network no weight of which is zero."""
    return shaken(tiny("small", "DATA.K=32", "MODEL.VRT.DEPTHS=[1,1,1,1,1,1,1,1,1,1,1]"))


@pytest.fixture(scope="module")
def clip():
    """Four frames of a wall, 40x36 pixels, with their spikes."""
    rgb, counts, _ = Moving(6.0, (40, 36)).seen(range(4))
    return rgb[None], counts[None]


def test_it_starts_as_nearly_the_joint_picture(model, clip):
    joint = prior_features(*clip, torch.zeros(1)).pictures[:, PICTURES.index("joint")]
    with torch.inference_mode():
        sharp = model(*clip)[0]
    blurred = (clip[0][0] - joint).abs().mean()
    assert (sharp - joint).abs().mean() < 0.2 * blurred


def test_frames_beside_those_kept_are_neighbours_only(shown, clip):
    """The middle frames have all their neighbours either way; alone each lacks one."""
    rgb, counts = clip
    with torch.inference_mode():
        kept = shown(rgb, counts, 0.0, slice(1, 3))
        features = prior_features(rgb, counts, torch.zeros(1), slice(1, 3))
        given = shown(rgb[:, 1:3], None, 0.0, features=features)
        alone = shown(rgb[:, 1:3], counts[:, 1:3], 0.0)
    assert kept.shape == (1, 2, 3, 40, 36)
    torch.testing.assert_close(kept, given, atol=1e-6, rtol=0)
    assert (kept - alone).abs().max() > 1e-3


def test_a_sharper_picture_comes_of_neighbours(clip):
    rgb, counts = clip
    sharp = Moving(6.0, (40, 36)).seen(range(4))[2][1:3]
    joint = PICTURES.index("joint")
    beside = prior_features(rgb, counts, torch.zeros(1), slice(1, 3)).pictures[:, joint]
    alone = prior_features(rgb[:, 1:3], counts[:, 1:3], torch.zeros(1)).pictures[:, joint]
    assert (beside - sharp).square().mean() < (alone - sharp).square().mean()


def test_what_is_known_of_a_frame_does_not_depend_on_threads(clip, monkeypatch):
    monkeypatch.setattr(chunks, "PIECE_PIXELS", 1)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                found.append(prior_features(*clip, torch.zeros(1)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for name in ("pictures", "maps", "rates"):
        one, other = (getattr(features, name) for features in found)
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_the_refiner_does_not_depend_on_pieces(monkeypatch):
    refiner = shaken(FrameRefiner(3, 2, (4, 6), 5))
    pictures, maps = torch.rand(3, 3, 3, 8, 10), torch.rand(3, 2, 8, 10)
    together = refiner(pictures, maps, lambda y: y[:, :5])
    monkeypatch.setattr(chunks, "PIECE_PIXELS", 1)
    one_by_one = refiner(pictures, maps, lambda y: y[:, :5])
    torch.testing.assert_close(one_by_one, together, atol=1e-5, rtol=0)


def test_the_refiner_takes_the_last_picture_at_first_and_learns_from_all():
    torch.manual_seed(0)
    refiner = FrameRefiner(3, 2, (4, 6), 5)
    pictures = torch.rand(2, 3, 3, 8, 10, requires_grad=True)
    maps = torch.rand(2, 2, 8, 10)
    sharp = refiner(pictures, maps, lambda y: y[:, :5])
    shares = torch.tensor([0.0, 0.0, FrameRefiner.PREFERENCE]).softmax(dim=0)
    torch.testing.assert_close(sharp, torch.einsum("p,npchw->nchw", shares, pictures))
    sharp.square().sum().backward()
    assert refiner.last.weight.grad.abs().max() > 0
    assert (pictures.grad.abs().amax(dim=(0, 2, 3, 4)) > 0).all()


def test_frames_need_spikes(model, clip):
    with pytest.raises(InputError, match="spikes"):
        model(clip[0])
