"""The fixed validation set: cases recorded under three protocols, from photographs kept out.

Two follow published sets, which averaged sRGB-encoded frames and fired spikes on them; one is what
a rig of two cameras records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from spikedeblur.errors import InputError
from spikedeblur.simulation.camera import as_srgb
from spikedeblur.simulation.composition import Tone, random_scene
from spikedeblur.simulation.photos import PhotoLibrary
from spikedeblur.simulation.recording import CameraSettings, Recorder
from spikedeblur.simulation.scene import Scene
from spikedeblur.simulation.simulation import write_recording

CLIP_SIZE = (256, 192)
CLIP_FRAMES = 5
CLIPS_SEED = 30_000
BLURRY_DB = (22.0, 26.0)
BLUR_PX = (4.0, 30.0)
MOST_DRAWS = 200


@dataclass(frozen=True)
class Protocol:
    """Conditions of a validation clip; tuples are choices, drawn per clip.

    `ticks` in a frame interval, `exposure` in frame intervals, `ratio` spike pixels per frame
    pixel along a side, `threshold` the light of a spike, white being 1.
    """

    name: str
    ticks: tuple[int, ...]
    exposure: tuple[Fraction, ...]
    ratio: Fraction
    threshold: tuple[float, ...]
    gamma_space: bool

    def recording(self, rng: np.random.Generator, seed: int) -> CameraSettings:
        """Draw the two cameras' settings."""
        ticks = int(rng.choice(self.ticks))
        rate = Fraction(20_000)
        width, height = (round(side * self.ratio) for side in CLIP_SIZE)
        return CameraSettings(
            CLIP_SIZE,
            (width, height),
            rate / ticks,
            rate,
            self.exposure[int(rng.integers(len(self.exposure)))],
            float(rng.choice(self.threshold)),
            self.gamma_space,
            seed,
        )


PROTOCOLS = (
    Protocol(
        "hybrid-20khz",
        (333, 400, 667),
        (Fraction(1, 2), Fraction(3, 4), Fraction(1)),
        Fraction(1, 2),
        (0.5, 1.0, 2.0),
        gamma_space=False,
    ),
    Protocol(
        "spk-gopro", (56, 64, 72, 80, 88), (Fraction(1),), Fraction(1, 2), (2.0,), gamma_space=True
    ),
    Protocol("s-sdm", (137,), (Fraction(97, 137),), Fraction(1, 4), (2.0,), gamma_space=True),
)


def record_validation_set(
    photos: Sequence[Path],
    folder: Path,
    clips: int,
    *,
    protocols: Sequence[Protocol] = PROTOCOLS,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda cases: None,
) -> list[Path]:
    """Record `clips` cases of each protocol into `folder`/PROTOCOL/NN; returns the case folders.

    A case is a function of the photographs, the protocol and its number. Each is blurred so that
    the blurry video stands at 22 to 26 dB to the sharp one. Raises `InputError` when no scene
    of the photographs can be, and what writing the files raises.
    """
    library = PhotoLibrary(photos)
    cases = []
    for protocol in protocols:
        place = PROTOCOLS.index(protocol)
        for number in range(clips):
            case = folder / protocol.name / f"{number:02d}"
            recording, scene = suitable_scene(library, protocol, [CLIPS_SEED, place, number])
            write_recording(
                Recorder(scene, recording).record(range(CLIP_FRAMES)),
                recording,
                case,
                overwrite,
                lambda frames: None,
            )
            cases.append(case)
            progress(len(cases))
    return cases


def suitable_scene(
    library: PhotoLibrary, protocol: Protocol, key: list[int]
) -> tuple[CameraSettings, Scene]:
    """The first scene drawn whose middle frame is blurred as much as it should be."""
    for draw in range(MOST_DRAWS):
        rng = np.random.default_rng([*key, draw])
        recording = protocol.recording(rng, int(rng.integers(1 << 31)))
        scene = moving_scene(library, recording, rng)
        if BLURRY_DB[0] <= blurry_psnr(scene, recording) <= BLURRY_DB[1]:
            return recording, scene
    raise InputError(
        f"none of {MOST_DRAWS} scenes is blurred to {BLURRY_DB[0]:g} to "
        f"{BLURRY_DB[1]:g} dB - give photographs with more detail"
    )


def moving_scene(
    library: PhotoLibrary, recording: CameraSettings, rng: np.random.Generator
) -> Scene:
    """A photograph behind a few objects, all moving."""
    starts, stops = (
        np.array(times) for times in zip(*map(recording.shutter, range(CLIP_FRAMES)), strict=True)
    )
    return random_scene(
        lambda: library.pick(rng),
        rng,
        size=recording.size[::-1],
        starts=starts,
        stops=stops,
        blur_px=BLUR_PX,
        still=0.0,
        objects=(0, 3),
        scales=(0.5, 1.0),
        tone=Tone(1.0, np.ones(3), recording.gamma_space),
    )


def blurry_psnr(scene: Scene, recording: CameraSettings) -> float:
    """PSNR in dB of the middle frame's noise-free average to its middle instant, sRGB-encoded."""
    mean, instant, _ = Recorder(scene, recording).expose(CLIP_FRAMES // 2)
    averaged, sharp = (as_srgb(light, recording.gamma_space) for light in (mean, instant))
    return float(-10 * torch.log10((averaged - sharp).square().mean().clamp(min=1e-9)))
