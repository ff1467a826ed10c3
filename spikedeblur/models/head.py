"""The network's last layer: at every pixel a choice among the candidates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikedeblur.prior.candidate_features import CandidateFeatures
from spikedeblur.prior.photometry import to_linear, to_srgb
from spikedeblur.prior.sdm import MAX_LOG_RATIO


class CandidateHead(nn.Module):
    """Features and candidates -> the sharp frame.

    At every pixel a softmax weighs the candidates' ratios and the ratio 1 (the blurry frame); a
    further factor, free of the candidates, sharpens what none of them holds; the product
    multiplies the blurry frame in linear light and, since published sets averaged gamma-encoded
    frames, in gamma-encoded values too, a gate mixing the two; a residual in RGB carries what grey
    spikes cannot tell. It starts as the blended candidate, SDM that needs no training: the
    weights of its convolution are zero, its bias is for the first candidate. With
    `refines_confidence` it also decides how far a frame follows the spikes' motion to an instant
    off the middle. Where the spikes do not match the frame it stays blurry and unmoved.
    """

    BLEND_BIAS = 5.0
    LINEAR_BIAS = 2.0
    LINEARITY_GAIN = 4.0
    BLURRY_FROM_TO = (0.6, 0.9)  # where the sharp frame begins to give way, and where it is gone

    def __init__(
        self, channels: int, candidates: int, stem: int, refines_confidence: bool = False
    ) -> None:
        super().__init__()
        self.refines_confidence = refines_confidence
        self.sizes = [candidates + 1, 1, 1, 3, int(refines_confidence)]
        outputs = sum(self.sizes)
        self.conv = nn.Conv2d(channels, outputs * stem**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(stem)
        nn.init.zeros_(self.conv.weight)
        bias = torch.zeros(outputs)
        bias[0] = self.BLEND_BIAS
        bias[candidates + 2] = self.LINEAR_BIAS
        with torch.no_grad():
            assert self.conv.bias is not None
            self.conv.bias.copy_(bias.repeat_interleave(stem**2))

    def forward(self, features_NChw: Tensor, features: CandidateFeatures) -> Tensor:
        """The sharp frames (N, 3, H, W), not clamped; the candidates may lie on a coarser plane."""
        blurry, compensated = features.frames, features.compensated
        assert features.candidates is not None
        candidates = features.candidates.on_plane(blurry.shape[-2:])
        outputs = self.shuffle(self.conv(features_NChw)).float()
        logits, factor, gate, residual, confidence_logit = outputs.split(self.sizes, dim=1)
        if candidates.linearity is not None:
            gate = gate + self.LINEARITY_GAIN * candidates.linearity[:, None, None, None]
        weights = logits.softmax(dim=1)
        ratio = (weights[:, :-1] * candidates.log_ratios.exp()).sum(dim=1, keepdim=True) + weights[
            :, -1:
        ]
        ratio = ratio * factor.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()
        if self.refines_confidence and compensated is not None:
            blurry, count_ratio = compensated.with_confidence(confidence_logit)
            ratio = ratio * count_ratio
        in_linear = to_srgb(to_linear(blurry) * ratio)
        in_gamma = blurry * ratio
        sharp = torch.lerp(in_gamma, in_linear, gate.sigmoid()) + residual
        if candidates.mismatch is None:
            return sharp
        begins, ends = self.BLURRY_FROM_TO
        as_it_was = blurry if compensated is None else compensated.original
        return torch.lerp(
            sharp, as_it_was, ((candidates.mismatch - begins) / (ends - begins)).clamp(0, 1)
        )
