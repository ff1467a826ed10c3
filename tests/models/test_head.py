"""The head against the formula it stands for: ratios in linear light, ratios in encoded values."""

import math

import pytest
import torch

from spikedeblur.models.head import CandidateHead
from spikedeblur.prior.candidate_features import CandidateFeatures
from spikedeblur.prior.photometry import RATIO_FLOOR, to_linear, to_srgb
from spikedeblur.prior.recentring import CompensatedFrames
from spikedeblur.prior.sdm import Candidates


def test_head_starts_as_the_blend_and_takes_another_candidate_when_told():
    head = CandidateHead(8, 2, stem=2)
    blurry, encoded = torch.rand(1, 3, 8, 8), torch.randn(1, 8, 4, 4)
    ratios = torch.stack([torch.full((8, 8), 0.7), torch.full((8, 8), -0.4)])[None]
    lit = to_srgb(to_linear(blurry) * math.exp(0.7))
    known = CandidateFeatures(blurry, candidates=Candidates(ratios))
    torch.testing.assert_close(head(encoded, known), lit, atol=0.1, rtol=0)
    with torch.no_grad():
        head.conv.bias.view(-1, 4)[1] = 100.0  # the second candidate wins everywhere
        head.conv.bias.view(-1, 4)[4] = 100.0  # in linear light alone
    expected = to_srgb(to_linear(blurry) * math.exp(-0.4))
    torch.testing.assert_close(head(encoded, known), expected, atol=1e-4, rtol=0)


def test_the_head_leans_towards_what_linearity_tells() -> None:
    head = CandidateHead(channels=4, candidates=1, stem=1)
    features, blurry = torch.zeros(2, 4, 8, 8), torch.full((2, 3, 8, 8), 0.4)
    ratios = torch.full((2, 1, 8, 8), 0.5)
    sharp = head(
        features,
        CandidateFeatures(blurry, candidates=Candidates(ratios, torch.tensor([1.0, -1.0]))),
    )
    ratio = (ratios[0].exp() * math.exp(head.BLEND_BIAS) + 1) / (math.exp(head.BLEND_BIAS) + 1)
    in_linear, in_gamma = to_srgb(to_linear(blurry[0]) * ratio), blurry[0] * ratio
    for picture, candidates in zip(sharp, (1, -1), strict=True):
        gate = 1 / (1 + math.exp(-head.LINEAR_BIAS - candidates * head.LINEARITY_GAIN))
        torch.testing.assert_close(picture, gate * in_linear + (1 - gate) * in_gamma)


@pytest.mark.parametrize(("mismatch", "blurry_share"), [(0.0, 0), (0.5, 0), (0.75, 0.5), (1.0, 1)])
def test_the_frame_stays_blurry_where_spikes_are_doubtful(mismatch: float, blurry_share: float):
    head = CandidateHead(4, 1, stem=1)
    torch.nn.init.normal_(head.conv.weight)
    features, blurry = torch.randn(1, 4, 8, 8), torch.rand(1, 3, 8, 8)
    ratios = torch.randn(1, 1, 8, 8)
    candidates = Candidates(ratios, mismatch=torch.full((1, 1, 8, 8), mismatch))
    sharp = head(features, CandidateFeatures(blurry, candidates=Candidates(ratios)))
    restored = head(features, CandidateFeatures(blurry, candidates=candidates))
    expected = blurry_share * blurry + (1 - blurry_share) * sharp
    torch.testing.assert_close(restored, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("bias", "share"), [(-100.0, 0.0), (0.0, 0.25), (100.0, 1.0)])
def test_the_head_judges_anew_how_far_a_frame_follows_the_motion(bias: float, share: float):
    """Flat frames: of the light of the middle and of the target, and counts that follow it."""
    head = CandidateHead(4, 1, stem=1, refines_confidence=True)
    with torch.no_grad():
        head.conv.bias[0] = 100.0  # the candidate
        head.conv.bias[3] = 100.0  # in linear light
        head.conv.bias[-1] = bias
    original, warped = torch.full((1, 3, 8, 8), 0.3), torch.full((1, 3, 8, 8), 0.6)
    compensated = CompensatedFrames(original, warped, torch.full((1, 1, 8, 8), 0.25), torch.ones(1))
    there = compensated.frames()
    ratio = 1.5 / compensated.count_ratio(there, original)
    features = CandidateFeatures(there, candidates=Candidates(ratio.log()), compensated=compensated)
    sharp = head(torch.zeros(1, 4, 8, 8), features)
    frame = torch.lerp(original, warped, share)
    light, before = (to_linear(each) + RATIO_FLOOR for each in (frame, original))
    torch.testing.assert_close(sharp, to_srgb(1.5 * to_linear(frame) * before / light))


def test_where_spikes_are_doubtful_the_frame_follows_no_motion():
    head = CandidateHead(4, 1, stem=1)
    original, warped = torch.rand(2, 1, 3, 8, 8)
    compensated = CompensatedFrames(original, warped, torch.ones(1, 1, 8, 8), torch.ones(1))
    candidates = Candidates(torch.zeros(1, 1, 8, 8), mismatch=torch.ones(1, 1, 8, 8))
    features = CandidateFeatures(
        compensated.frames(), candidates=candidates, compensated=compensated
    )
    restored = head(torch.zeros(1, 4, 8, 8), features)
    torch.testing.assert_close(restored, original)
