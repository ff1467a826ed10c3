"""Training learns what there is to learn, and a test that a broken target passes proves nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from spikedeblur.models.checkpoint import load_model
from spikedeblur.simulation.clips import Conditions
from spikedeblur.training.config import load_config
from spikedeblur.training.data.datasets import PhotoClips
from spikedeblur.training.data.sampler import ClipSource
from spikedeblur.training.losses import charbonnier
from spikedeblur.training.run import train_network
from tests.training.pictures import write_png
from tests.training.tiny_run import NoiseClips, run

LOWERED_TO = 0.85  # of the loss of the blurry frames, which the network starts from


class ShuffledTargets:
    """Clips whose sharp frames are those of another clip."""

    def __init__(self, clips: ClipSource) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def set_epoch(self, epoch: int) -> None:
        self.clips.set_epoch(epoch)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        other = self.clips[(index + 1) % len(self.clips)]
        return {**self.clips[index], "sharp": other["sharp"]}


def lowered(root: Path, clips: ClipSource) -> float:
    """The averaged weights' loss on `clips`, as a fraction of the blurry frames'."""
    model = load_model(root / "last.safetensors")
    losses, blurry_losses = [], []
    for index in range(len(clips)):
        clip = {key: value[None] for key, value in clips[index].items()}
        with torch.no_grad():
            restored = model(clip["blurry"], clip["voxels"], clip["target_time"])
        losses.append(float(charbonnier(restored, clip["sharp"], 1e-3)))
        blurry_losses.append(float(charbonnier(clip["blurry"], clip["sharp"], 1e-3)))
    return sum(losses) / sum(blurry_losses)


@pytest.mark.parametrize("shuffled", [False, True], ids=["true target", "shuffled target"])
def test_the_loss_falls_on_unseen_clips_only_with_the_true_target(
    shuffled: bool, tmp_path: Path
) -> None:
    clips: ClipSource = NoiseClips(1, count=40)
    run(
        tmp_path,
        clips=ShuffledTargets(clips) if shuffled else clips,
        STEPS=60,
        BATCH_SIZE=2,
        LR=1e-2,
        EMA_DECAY=0.98,
        WARMUP_STEPS=10,
        dropout=0,
        SAVE_EVERY=1000,
        VAL_EVERY=1000,
        LOG_EVERY=1000,
    )
    fraction = lowered(tmp_path, NoiseClips(99, count=6))
    print(fraction)
    assert fraction > 1 if shuffled else fraction < LOWERED_TO


def painting(seed: int) -> np.ndarray:
    """A picture (240, 320, 3) uint8 of overlapping flat shapes: edges to find, and no noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:240, :320]
    picture = np.full((240, 320, 3), rng.integers(40, 200, 3))
    for _ in range(60):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(4, 30, 2)
        u, v = x - rng.uniform(0, 320), y - rng.uniform(0, 240)
        along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
        picture[(abs(along) < offset[0]) & (abs(across) < offset[1])] = rng.integers(20, 256, 3)
    return picture.astype(np.uint8)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("shuffled", [False, True], ids=["true target", "shuffled target"])
def test_200_steps_of_small_lower_the_loss_on_photos(shuffled: bool, tmp_path: Path) -> None:
    photos = [write_png(tmp_path / f"{number}.png", painting(number)) for number in range(8)]
    config = load_config(
        "small",
        [
            "TRAIN.STEPS=200",
            "TRAIN.WARMUP_STEPS=20",
            "TRAIN.LR=1.0e-3",
            "DATA.CROP_SIZE=64",
            "DATA.CLIP_LEN=3",
            "TRAIN.EMA_DECAY=0.98",
            "TRAIN.VAL_CLIPS=1",
        ],
    )

    def clips(seed: int, length: int, photos: list[Path]) -> PhotoClips:
        # Clean, well aligned spikes: what is there to learn can be learnt in 200 steps.
        moving = Conditions(
            blur_px=(8.0, 20.0),
            still=0.0,
            ticks=(200.0, 400.0),
            rate=(0.3, 0.6),
            ratios=(1.0,),
            ratio_shares=(1.0,),
            misaligned=0.0,
            centred=1.0,
        )
        return PhotoClips(
            photos,
            crop=64,
            clip_len=3,
            bins=32,
            seed=seed,
            length=length,
            group=length,
            conditions=moving,
            bad_spikes=0.0,
        )

    learnt = clips(1, 2, photos[:6])
    train_network(
        config,
        lambda: (ShuffledTargets(learnt) if shuffled else learnt, clips(2, 1, photos[6:])),
        output=tmp_path / "run",
        device="cpu",
        report=lambda event: None,
    )
    fraction = lowered(tmp_path / "run", clips(99, 8, photos[6:]))
    print(fraction)
    assert fraction > 1 if shuffled else fraction < 0.9
