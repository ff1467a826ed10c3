"""VRTSpike: the whole network, and the rules of size that callers need not know.

    frames  -> stem -> VRT encoder 1..4 -> decoder -> head -> sharp frames
    spikes  -> SpikeEncoder3D -> SpikeTemporalSA -> fused into the encoder at each of its scales

Shape suffixes: B batch, T frames, K bins, N = B*T, H and W the frame's pixels, h and w those of
the network (H / STEM, W / STEM).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from operator import mul

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional

from spikedeblur.errors import ConfigError, InputError
from spikedeblur.models.config import Config, ModelConfig, VRTConfig
from spikedeblur.models.fusion import MultiScaleTemporalCrossAttnFuse
from spikedeblur.models.head import CandidateHead
from spikedeblur.models.intervals import Charge
from spikedeblur.models.photometry import GAMMA, grey
from spikedeblur.models.planes import pad_bottom_right, resample, resize, scaling_matrix
from spikedeblur.models.prior import SpikePrior, log_count, relative_rates
from spikedeblur.models.spike_encoder import SpikeEncoder3D
from spikedeblur.models.temporal_attention import SpikeTemporalSA
from spikedeblur.models.vrt import VRT

COARSEST = 8  # divisor of VRT's fourth scale


def build_vrt(config: VRTConfig, in_chans: int, out_chans: int) -> VRT:
    """VRT with the hyper-parameters of a configuration."""
    return VRT(
        in_chans=in_chans, out_chans=out_chans, window_size=config.WINDOW_SIZE,
        depths=config.DEPTHS, indep_reconsts=config.INDEP_RECONSTS, embed_dims=config.EMBED_DIMS,
        num_heads=config.NUM_HEADS, mul_attn_ratio=config.MUL_ATTN_RATIO,
        mlp_ratio=config.MLP_RATIO, pa_frames=config.PA_FRAMES,
        deformable_groups=config.DEFORMABLE_GROUPS, blocks=config.BLOCKS,
        temporal_strides=config.TEMPORAL_STRIDES, use_checkpoint_attn=config.USE_CHECKPOINT_ATTN,
        use_checkpoint_ffn=config.USE_CHECKPOINT_FFN, zero_init=config.ZERO_INIT,
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

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        model, self.stem = config.MODEL, config.MODEL.STEM
        self.spikes = SpikeBranch(model, config.DATA.K) if model.USE_SPIKE else None
        self.prior = SpikePrior(model.PRIOR) if model.PRIOR else None
        channels = 3 * self.stem**2 + (1 if model.TARGET_TIME else 0)
        if self.prior is None:
            self.head = None
        else:
            channels += self.prior.candidates * self.stem**2 + 1 + self.prior.clues
            self.head = CandidateHead(model.VRT.EMBED_DIMS[0], self.prior.candidates, self.stem)
        self.vrt = build_vrt(model.VRT, channels, 3 * self.stem**2)
        if self.head is not None:
            self.vrt.conv_last = nn.Identity()  # type: ignore[assignment]  # the head is in its place

    @property
    def uses_spikes(self) -> bool:
        """Whether the model was built to take voxel grids."""
        return self.spikes is not None

    @property
    def size_multiple(self) -> int:
        """What padded heights and widths are multiples of."""
        return COARSEST * self.stem

    def forward(
        self, rgb: Tensor, voxels: Tensor | None = None, target_time: float | Tensor = 0.0
    ) -> Tensor:
        self._check(rgb, voxels)
        batch, _, _, height, width = rgb.shape
        padded = self._padded_size(height, width)
        target = torch.as_tensor(target_time, dtype=torch.float32, device=rgb.device).expand(batch)
        charge = None
        if voxels is not None:
            with torch.autocast(rgb.device.type, enabled=False):
                # Before any resampling: neighbours' spikes do not fire together.
                charge = Charge.of(voxels.flatten(0, 1).float()).on(
                    partial(self._on_frame_plane, size=(height, width), padded=padded))
        out = self._restore(pad_bottom_right(rgb, *padded), charge, target)
        return out[..., :height, :width]

    def _restore(self, rgb: Tensor, charge: Charge | None, target_B: Tensor) -> Tensor:
        """The network on sizes it divides: rgb (B, T, 3, H, W), the N charges on H/f, W/f."""
        batch, frames = rgb.shape[:2]
        rgb_N3HW = rgb.flatten(0, 1)
        inputs = [functional.pixel_unshuffle(rgb_N3HW, self.stem)]
        size, net_size = rgb_N3HW.shape[-2:], inputs[0].shape[-2:]
        target_N = repeat(target_B, "b -> (b t)", t=frames)
        if self.config.MODEL.TARGET_TIME:
            inputs.append(target_N.to(rgb)[:, None, None, None].expand(-1, 1, *net_size))
        fuse, told = None, None
        if charge is not None and self.spikes is not None:
            rates = resize(relative_rates(charge.light()), net_size)
            changes = grey(resize(rgb_N3HW, net_size)) * rates
            features = self.spikes(changes.unflatten(0, (batch, frames)))
            fuse = partial(self.spikes.fuse, features)
            if self.prior is not None:
                with torch.autocast(rgb.device.type, enabled=False):
                    told = self.prior.tell(rgb, charge, target_N).on_plane(size)
                change = grey(rgb_N3HW) * ((told.log_ratios / GAMMA).exp() - 1)
                inputs.append(functional.pixel_unshuffle(change, self.stem))
                inputs.append(resize(log_count(charge.counts), net_size))
                inputs += told.clues(net_size)
        x = torch.cat(inputs, dim=1).unflatten(0, (batch, frames))
        guide = resize(rgb_N3HW, net_size).unflatten(0, (batch, frames))
        features_BThwC = self.vrt.features(x, fuse=fuse, guide=guide)
        if self.head is not None:
            features_NChw = rearrange(features_BThwC, "b t h w c -> (b t) c h w")
            sharp = self.head(features_NChw, rgb_N3HW, told)
            return sharp.unflatten(0, (batch, frames))
        residual_BTchw = self.vrt.conv_last(features_BThwC.permute(0, 4, 1, 2, 3)).transpose(1, 2)
        return functional.pixel_shuffle(residual_BTchw, self.stem) + rgb

    def _padded_size(self, height: int, width: int) -> tuple[int, int]:
        multiple, least = self.size_multiple, self.vrt.min_size
        rows = max(least[0] * self.stem, -(-height // multiple) * multiple)
        columns = max(least[1] * self.stem, -(-width // multiple) * multiple)
        return rows, columns

    def _on_frame_plane(
        self, planes_NChw: Tensor, size: tuple[int, int], padded: tuple[int, int]
    ) -> Tensor:
        """A spike plane of any size onto the padded frame's over the power of two nearest above.

        A plane is never made coarser than the spikes are, up to the network's own plane.
        """
        plane = (planes_NChw.shape[-2], planes_NChw.shape[-1])
        factor = self.size_multiple
        while factor > 1 and (size[0] < plane[0] * factor or size[1] < plane[1] * factor):
            factor //= 2
        target = (padded[0] // factor, padded[1] // factor)
        if (plane[0] * factor, plane[1] * factor) == size:
            return pad_bottom_right(planes_NChw, *target)
        matrix = scaling_matrix(plane, (size[0] / factor, size[1] / factor))
        return resample(planes_NChw, matrix, target)

    def _check(self, rgb: Tensor, voxels: Tensor | None) -> None:
        bins = self.config.DATA.K
        if rgb.ndim != 5 or rgb.shape[2] != 3 or not rgb.numel():
            raise InputError(f"frames of shape {tuple(rgb.shape)} - expected (B, T, 3, H, W)")
        if self.uses_spikes and voxels is None:
            raise InputError("the model takes spikes, none were given - give voxels")
        if not self.uses_spikes and voxels is not None:
            raise InputError("the model takes no spikes, but voxels were given - omit them")
        if voxels is not None and (voxels.ndim != 5 or voxels.shape[:3] != (*rgb.shape[:2], bins)
                                   or not voxels.numel()):
            raise InputError(f"voxels of shape {tuple(voxels.shape)} with frames "
                             f"{tuple(rgb.shape)} - expected (B, T, {bins}, Hs, Ws)")
        if not rgb.is_floating_point():
            raise InputError(f"frames of shape {tuple(rgb.shape)} are {rgb.dtype} - expected "
                             "floats in [0, 1]")
        for name, tensor in (("frames", rgb), ("voxels", voxels)):
            if tensor is not None and not torch.isfinite(tensor).all():
                raise InputError(f"{name} of shape {tuple(tensor.shape)} hold values that are not "
                                 "finite - check the input")


def build_model(config: Config) -> VRTSpike:
    """A model with fresh weights for a configuration."""
    try:
        return VRTSpike(config)
    except ValueError as error:
        raise ConfigError(f"the configuration cannot be built ({error})") from None
