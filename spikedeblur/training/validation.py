"""Quality on clips the training never sees: PSNR and SSIM over whole frames, shared by ranks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spikedeblur.metrics import frame_psnr, frame_ssim
from spikedeblur.training.data.sampler import Batch, ClipSource, FixedClips, batches_of, clip_loader
from spikedeblur.training.distributed import World


@dataclass(frozen=True)
class Quality:
    """Means over all frames: PSNR in dB, SSIM with a Gaussian window (sigma 1.5)."""

    psnr: float
    ssim: float
    blurry_psnr: float


def clips_of_rank(count: int, rank: int, world_size: int) -> list[list[int]]:
    """Return this rank's clips, one to a batch: no clip twice, none left out, no padding."""
    return [[index] for index in range(rank, count, world_size)]


class Validator:
    """Measures a model on the same clips every time.

    `triptych` (3, H, 3 W) shows the middle frame of the first clip: blurry, restored, sharp.
    """

    def __init__(self, clips: ClipSource, world: World, workers: int) -> None:
        self.world = world
        self.triptych: Tensor | None = None
        batches = clips_of_rank(len(clips), world.rank, world.size)
        self.loader = clip_loader(FixedClips(clips), batches, workers)

    @torch.no_grad()
    def measure(
        self, model: Callable[[Batch], Tensor], progress: Callable[[int, int], None]
    ) -> Quality:
        """Return the quality of `model`, a function from a batch to restored frames.

        Every process measures its share; `progress(done, total)` is of this process.
        """
        sums = torch.zeros(4, dtype=torch.float64)
        for done, batch in enumerate(batches_of(self.loader), start=1):
            restored = model(batch).float().clamp(0, 1).flatten(0, 1).cpu()
            sharp, blurry = batch["sharp"].flatten(0, 1), batch["blurry"].flatten(0, 1)
            if done == 1:
                middle = len(sharp) // 2
                self.triptych = torch.cat([blurry[middle], restored[middle], sharp[middle]], dim=2)
            sums += torch.stack(
                [
                    frame_psnr(restored, sharp).double().sum(),
                    frame_ssim(restored, sharp).double().sum(),
                    frame_psnr(blurry, sharp).double().sum(),
                    torch.tensor(float(len(sharp)), dtype=torch.float64),
                ]
            )
            progress(done, len(self.loader))
        psnr, ssim, blurry_psnr, frames = self.world.total(*sums.tolist())
        return Quality(psnr / frames, ssim / frames, blurry_psnr / frames)
