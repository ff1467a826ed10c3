"""VRTSpike: the whole network, and the rules of size that callers need not know.

    frames  -> stem -> VRT encoder 1..4 -> decoder -> head -> sharp frames
    spikes  -> SpikeEncoder3D -> SpikeTemporalSA -> fused into the encoder at each of its scales

Shape suffixes: B batch, T frames, K bins, N = B*T, H and W the frame's pixels, h and w those of
the network (H / STEM, W / STEM).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate, zip_longest
from operator import mul

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional

from spikedeblur.errors import InputError
from spikedeblur.models.config import ModelConfig, NetworkConfig, PriorConfig, VRTConfig
from spikedeblur.models.fusion import MultiScaleTemporalCrossAttnFuse
from spikedeblur.models.head import CandidateHead
from spikedeblur.models.spike_encoder import SpikeEncoder3D
from spikedeblur.models.temporal_attention import SpikeTemporalSA
from spikedeblur.models.vrt import VRT
from spikedeblur.models.vrt.network import STAGE_SCALES
from spikedeblur.prior.candidate_features import CandidateFeatures, candidate_features
from spikedeblur.prior.chunks import EVERY_FRAME, map_chunks
from spikedeblur.prior.photometry import GAMMA, grey
from spikedeblur.prior.planes import pad_bottom_right, resize
from spikedeblur.prior.recentring import CompensatedFrames
from spikedeblur.prior.sdm import SDMCandidates, log_count

COARSEST = 8  # divisor of VRT's fourth scale


def build_prior(config: PriorConfig) -> SDMCandidates:
    """Candidates by the configuration's windows and smoothings."""
    return SDMCandidates(
        config.WINDOWS,
        config.SMOOTHINGS,
        with_linearity=config.INPUT_LINEARITY,
        with_mismatch=config.INPUT_MISMATCH,
    )


def build_vrt(config: VRTConfig, in_chans: int, out_chans: int) -> VRT:
    """VRT with the hyper-parameters of a configuration."""
    return VRT(
        in_chans=in_chans,
        out_chans=out_chans,
        window_size=config.WINDOW_SIZE,
        depths=config.DEPTHS,
        indep_reconsts=config.INDEP_RECONSTS,
        embed_dims=config.EMBED_DIMS,
        num_heads=config.NUM_HEADS,
        mul_attn_ratio=config.MUL_ATTN_RATIO,
        mlp_ratio=config.MLP_RATIO,
        pa_frames=config.PA_FRAMES,
        deformable_groups=config.DEFORMABLE_GROUPS,
        blocks=config.BLOCKS,
        temporal_strides=config.TEMPORAL_STRIDES,
        use_checkpoint_attn=config.USE_CHECKPOINT_ATTN,
        use_checkpoint_ffn=config.USE_CHECKPOINT_FFN,
        zero_init=config.ZERO_INIT,
        drop_path_rate=config.DROP_PATH_RATE,
    )


class SpikeBranch(nn.Module):
    """Voxel grids -> temporally attended features at four scales, and their fusion into VRT's."""

    def __init__(self, config: ModelConfig, bins: int) -> None:
        super().__init__()
        encoder, widths = config.SPIKE_ENCODER, config.CHANNELS_PER_SCALE
        key_strides = list(accumulate((1, *encoder.TEMPORAL_STRIDES), mul))
        query_strides = list(accumulate((1, *config.VRT.TEMPORAL_STRIDES), mul))
        self.encoder = SpikeEncoder3D(
            bins, widths, encoder.TEMPORAL_STRIDES, encoder.SPATIAL_STRIDES
        )
        self.attention = nn.ModuleList(
            SpikeTemporalSA(width, config.SPIKE_TSA, stride)
            for width, stride in zip(widths, key_strides, strict=True)
        )
        self.fusion = MultiScaleTemporalCrossAttnFuse(
            widths, config.FUSE, query_strides, key_strides
        )

    def forward(self, voxels_BTKhw: Tensor) -> list[Tensor]:
        """(B, T, K, h, w) -> Fs'_1..4, each (B, C, T, h, w) of its scale."""
        features = self.encoder(voxels_BTKhw)
        return [attend(x) for attend, x in zip(self.attention, features, strict=True)]

    def fuse(self, features: Sequence[Tensor], stage: int, frames_BTHWC: Tensor) -> Tensor:
        """With a clip's Fs'_1..4 bound, the hook that VRT calls after encoder stage 1..4."""
        fuse, frames_BCTHW = self.fusion[stage - 1], frames_BTHWC.permute(0, 4, 1, 2, 3)
        return fuse(frames_BCTHW, features[stage - 1]).permute(0, 2, 3, 4, 1)


class VRTSpike(nn.Module):
    """Blurry frames and their spikes -> sharp frames.

    `model(rgb, voxels, target_time)`:
    - rgb (B, T, 3, H, W) float in [0, 1], sRGB; any T, H and W >= 1;
    - voxels (B, T, K, Hs, Ws), spike counts of K bins over each frame's exposure, on a plane
      of any size that shows the frame's field; None for a model without spikes;
    - target_time: the instant to restore, in [-0.5, 0.5] of the exposure, a number or (B,);
    - returns (B, T, 3, H, W) float, not clamped.
    Padding to what the network divides by happens inside, by mirroring. Raises `InputError` for
    shapes that do not fit together and for values that are not finite.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        model, self.stem = config.MODEL, config.MODEL.STEM
        self.spikes = SpikeBranch(model, config.bins) if model.USE_SPIKE else None
        self.prior = build_prior(model.PRIOR) if model.PRIOR else None
        self.takes_motion = model.PRIOR is not None and model.PRIOR.INPUT_MOTION
        channels = 3 * self.stem**2 + (1 if model.TARGET_TIME else 0)
        if self.prior is None:
            self.head = None
        else:
            channels += self.prior.candidates * self.stem**2 + 1 + self.prior.extra_channels
            channels += 2 * self.stem**2 + 1 if self.takes_motion else 0
            self.head = CandidateHead(
                model.VRT.EMBED_DIMS[0],
                self.prior.candidates,
                self.stem,
                refines_confidence=self.takes_motion,
            )
        self.vrt = build_vrt(model.VRT, channels, 3 * self.stem**2)
        if self.head is not None:
            self.vrt.conv_last = nn.Identity()  # type: ignore[assignment]  # the head is in its place

    @property
    def bins(self) -> int:
        """Voxel bins over one exposure, K."""
        return self.config.bins

    @property
    def window(self) -> int:
        """Frames of the clips that it was trained on."""
        return self.config.window

    @property
    def uses_spikes(self) -> bool:
        """Return whether it was built to take voxel grids."""
        return self.spikes is not None

    @property
    def any_target_time(self) -> bool:
        """Return whether it was built to restore instants beside the middle of the exposure."""
        return self.config.MODEL.TARGET_TIME

    @property
    def size_multiple(self) -> int:
        """Padded heights and widths are multiples of this."""
        return COARSEST * self.stem

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the stages 1 to 7, then of the groups of stage 8."""
        return self.config.MODEL.VRT.EMBED_DIMS

    @property
    def channels_per_pixel(self) -> float:
        """Channels of the widest stage, at its scale, per pixel of the frame."""
        stages = zip_longest(self.widths, STAGE_SCALES, fillvalue=1)
        return max(width / scale**2 for width, scale in stages) / self.stem**2

    @property
    def may_leave_weights_unused(self) -> bool:
        """Return whether a short clip leaves some stage one frame, and nothing to align it with."""
        return any(stride > 1 for stride in self.config.MODEL.VRT.TEMPORAL_STRIDES)

    @property
    def reach(self) -> int:
        """It looks at no frames beside those that it restores."""
        return 0

    def forward(
        self,
        rgb: Tensor,
        voxels: Tensor | None = None,
        target_time: float | Tensor = 0.0,
        kept: slice = EVERY_FRAME,
    ) -> Tensor:
        """Restore rgb (B, T, 3, H, W) with voxels (B, T, K, h, w) at each clip's target time."""
        self._check(rgb, voxels)
        rgb, voxels = rgb[:, kept], None if voxels is None else voxels[:, kept]
        batch, _, _, height, width = rgb.shape
        padded = self.padded_size(height, width)
        target = torch.as_tensor(target_time, dtype=torch.float32, device=rgb.device).expand(batch)
        out = self._restore(pad_bottom_right(rgb, *padded), voxels, target, (height, width))
        return out[..., :height, :width]

    def _restore(
        self, rgb: Tensor, voxels: Tensor | None, target_B: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """The network on sizes it divides: rgb (B, T, 3, H, W), of which `size` is not padding."""
        batch, frames = rgb.shape[:2]
        features, fuse = CandidateFeatures(rgb.flatten(0, 1)), None
        target_N = repeat(target_B, "b -> (b t)", t=frames)
        padded, number = (rgb.shape[-2], rgb.shape[-1]), batch * frames
        net_size = (padded[0] // self.stem, padded[1] // self.stem)
        if voxels is not None and self.spikes is not None:
            features, rates = candidate_features(
                rgb,
                voxels,
                target_N,
                size=size,
                net_size=net_size,
                coarsest=self.size_multiple,
                prior=self.prior,
            )
            changes = grey(resize(features.frames, net_size)) * rates
            fuse = partial(self.spikes.fuse, self.spikes(changes.unflatten(0, (batch, frames))))
            del rates, changes

        def inputs(piece: slice) -> tuple[Tensor]:
            return (self._inputs(features.of(piece), target_N[piece]),)

        guide = resize(features.frames, net_size).unflatten(0, (batch, frames))
        features_BThwC = self.vrt.features(
            map_chunks(inputs, number, padded)[0].unflatten(0, (batch, frames)), fuse, guide
        )
        if self.head is None or features.candidates is None:
            residual = self.vrt.conv_last(features_BThwC.permute(0, 4, 1, 2, 3)).transpose(1, 2)
            return functional.pixel_shuffle(residual, self.stem) + rgb
        features_NChw = rearrange(features_BThwC, "b t h w c -> (b t) c h w")
        head = self.head

        def sharp(piece: slice) -> tuple[Tensor]:
            return (head(features_NChw[piece], features.of(piece)),)

        return map_chunks(sharp, number, padded)[0].unflatten(0, (batch, frames))

    def _inputs(self, features: CandidateFeatures, target_N: Tensor) -> Tensor:
        """Build VRT's input of each frame: (N, C, H/f, W/f)."""
        frames, candidates = features.frames, features.candidates
        inputs = [functional.pixel_unshuffle(frames, self.stem)]
        net_size = inputs[0].shape[-2:]
        if self.any_target_time:
            inputs.append(target_N.to(frames)[:, None, None, None].expand(-1, 1, *net_size))
        if features.counts is not None and candidates is not None:
            candidates = candidates.on_plane(frames.shape[-2:])
            change = grey(frames) * ((candidates.log_ratios / GAMMA).exp() - 1)
            inputs.append(functional.pixel_unshuffle(change, self.stem))
            inputs.append(resize(log_count(features.counts), net_size))
            inputs += candidates.extra_channels(net_size)
        if self.takes_motion:
            inputs.append(self._motion(features.compensated, like=inputs[0]))
        return torch.cat(inputs, dim=1)

    def _motion(self, compensated: CompensatedFrames | None, like: Tensor) -> Tensor:
        """Return the change that motion compensation made to frames; 0 at mid-exposure."""
        number, _, *net_size = like.shape
        if compensated is None:
            return like.new_zeros(number, 2 * self.stem**2 + 1, *net_size)
        differences = functional.pixel_unshuffle(compensated.luma_differences(), self.stem)
        return torch.cat([differences, resize(compensated.confidence, net_size)], dim=1)

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the frames that the network works on."""
        multiple, least = self.size_multiple, self.vrt.min_size
        rows = max(least[0] * self.stem, -(-height // multiple) * multiple)
        columns = max(least[1] * self.stem, -(-width // multiple) * multiple)
        return rows, columns

    def _check(self, rgb: Tensor, voxels: Tensor | None) -> None:
        bins = self.bins
        if rgb.ndim != 5 or rgb.shape[2] != 3 or not rgb.numel():
            raise InputError(f"frames of shape {tuple(rgb.shape)} - expected (B, T, 3, H, W)")
        if self.uses_spikes and voxels is None:
            raise InputError("the model takes spikes, none were given - give voxels")
        if not self.uses_spikes and voxels is not None:
            raise InputError("the model takes no spikes, but voxels were given - omit them")
        if voxels is not None and (
            voxels.ndim != 5 or voxels.shape[:3] != (*rgb.shape[:2], bins) or not voxels.numel()
        ):
            raise InputError(
                f"voxels of shape {tuple(voxels.shape)} with frames "
                f"{tuple(rgb.shape)} - expected (B, T, {bins}, Hs, Ws)"
            )
        if not rgb.is_floating_point():
            raise InputError(
                f"frames of shape {tuple(rgb.shape)} are {rgb.dtype} - expected floats in [0, 1]"
            )
        for name, tensor in (("frames", rgb), ("voxels", voxels)):
            # The extremes are not finite if anything is not, and take no memory to find.
            if tensor is not None and not all(end.isfinite() for end in tensor.aminmax()):
                raise InputError(
                    f"{name} of shape {tuple(tensor.shape)} hold values that are not "
                    "finite - check the input"
                )
