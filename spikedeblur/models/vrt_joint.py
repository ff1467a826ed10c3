"""VRT and spikes around the joint picture: the network that is shipped.

    frames, spikes -> what the spikes say without learning (`prior.features`): pictures and maps
    pictures, maps -> refiner at full resolution, VRT fused with spikes at half -> sharp frames

Shape suffixes: B batch, T frames, N = B * T, K bins, H and W frame pixels.
"""

from __future__ import annotations

from functools import partial

import torch
from einops import rearrange
from torch import Tensor, nn

from spikedeblur.models.config import NetworkConfig
from spikedeblur.models.joint_inputs import NetworkInputs
from spikedeblur.models.refiner import FrameRefiner
from spikedeblur.models.vrt_spike import SpikeBranch, VRTSpike, build_vrt
from spikedeblur.prior.chunks import EVERY_FRAME
from spikedeblur.prior.features import MAPS, PICTURES, REACH, PriorFeatures, prior_features
from spikedeblur.prior.planes import resize

# Mismatch from where on the sharp frame gives way to the blurry one, and where it is gone.
BLURRY_FROM_TO = (0.6, 0.9)


class VRTJoint(VRTSpike):
    """Blurry frames and their spikes -> sharp frames, around the joint picture.

    Called as `VRTSpike` is; `features`, of the frames that are kept, may be given where they were
    made before.
    """

    def __init__(self, config: NetworkConfig) -> None:
        nn.Module.__init__(self)
        self.config = config
        model, self.stem = config.MODEL, 2
        assert model.REFINER is not None and model.USE_SPIKE
        half = model.REFINER.WIDTHS[1]
        self.spikes = SpikeBranch(model, config.bins)
        self.vrt = build_vrt(model.VRT, half, half)
        self.vrt.conv_last = nn.Identity()  # type: ignore[assignment]  # the refiner takes features
        self.refiner = FrameRefiner(
            len(PICTURES), len(MAPS) + 1, model.REFINER.WIDTHS, model.VRT.EMBED_DIMS[0]
        )

    @property
    def channels_per_pixel(self) -> float:
        """Three eighths of the channels of the refiner's maps, few of which are held at once."""
        assert self.config.MODEL.REFINER is not None
        return self.config.MODEL.REFINER.WIDTHS[0] * 3 / 8

    @property
    def reach(self) -> int:
        """Neighbours of a frame to either side, by which the joint picture is found."""
        return REACH

    def forward(
        self,
        rgb: Tensor,
        voxels: Tensor | None = None,
        target_time: float | Tensor = 0.0,
        kept: slice = EVERY_FRAME,
        features: PriorFeatures | None = None,
    ) -> Tensor:
        if features is None:
            self._check(rgb, voxels)
        clip, rgb = rgb, rgb[:, kept]
        batch, frames, _, height, width = rgb.shape
        target = torch.as_tensor(target_time, dtype=torch.float32, device=rgb.device).expand(batch)
        if features is None:
            assert voxels is not None
            with torch.autocast(rgb.device.type, enabled=False):
                features = prior_features(clip, voxels, target, kept)
        moments = target.repeat_interleave(frames)
        inputs = NetworkInputs.of(features, moments, self.padded_size(height, width))
        sharp = self.restore(inputs.pictures, inputs.maps, inputs.rates, batch)
        return sharp[..., :height, :width].unflatten(0, (batch, frames))

    def restore(self, pictures: Tensor, maps: Tensor, rates: Tensor, batch: int = 1) -> Tensor:
        """Restore the frames of `batch` clips from their `NetworkInputs`: (N, 3, H, W)."""
        clips = (batch, len(pictures) // batch)
        half = (pictures.shape[-2] // 2, pictures.shape[-1] // 2)
        assert self.spikes is not None
        fuse = partial(self.spikes.fuse, self.spikes(rates.unflatten(0, clips)))
        guide = None
        if self.vrt.pa_frames:
            guide = resize(pictures[:, 0], half).unflatten(0, clips)

        def body(x_NChw: Tensor) -> Tensor:
            out = self.vrt.features(x_NChw.unflatten(0, clips), fuse, guide)
            return rearrange(out, "b t h w c -> (b t) c h w")

        sharp = self.refiner(pictures, maps, body)
        begins, ends = BLURRY_FROM_TO
        mismatches = (maps[:, [MAPS.index("mismatch")]] - begins) / (ends - begins)
        return torch.lerp(sharp, pictures[:, 0], mismatches.clamp(0, 1))
