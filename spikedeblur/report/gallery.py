"""Pictures for the report: of each case the worst frame, where it is worst, by every method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from spikedeblur.benchmarking.cases import Case
from spikedeblur.benchmarking.setups import Setup
from spikedeblur.io.colour import to_uint8
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.recording.resample import resize_planes
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.vocabulary import BLURRY

SPIKES, SHARP = "spikes", "sharp"
SPIKES_METHOD = "tfp:0.125"
MOST_CASES = 12  # with pictures; a page stays small enough to be sent
MOST_FRAMES = 50  # of a case, among which the one to show is sought
CROP_WIDTHS = 160, 320
OVERVIEW_WIDTH = 300


@dataclass(frozen=True)
class CropBox:
    """A part of a frame in pixels."""

    left: int
    top: int
    width: int
    height: int

    def of(self, rgb: np.ndarray) -> np.ndarray:
        """Cut it out of (H, W, 3)."""
        return rgb[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass
class Shots:
    """One frame of a case: its number, the whole of it made small, and crops (h, w, 3) uint8.

    crops: by name, blurry and spikes first, then methods as they come, sharp last.
    """

    case: Case
    frame: int
    size: tuple[int, int]
    box: CropBox
    overview: np.ndarray
    crops: dict[str, np.ndarray] = field(default_factory=dict)


class Gallery:
    """Collects pictures while a benchmark runs; `watch` goes to `results.measure`."""

    def __init__(self, cases: Sequence[object]) -> None:
        with_truth = [case for case in cases if isinstance(case, Case) and case.has_truth]
        self._shots = {case: _take(case) for case in with_truth[:MOST_CASES]}
        self.left_out = len(with_truth[MOST_CASES:])

    @property
    def shots(self) -> list[Shots]:
        """Of each case, in order."""
        return list(self._shots.values())

    def watch(self, case: Case, setup: Setup, number: int, rgb: np.ndarray) -> None:
        """Keep what is wanted of frame `number` of a case, (H, W, 3), made by a method."""
        shots = self._shots.get(case)
        if shots is None or number != shots.frame or setup.method in shots.crops:
            return
        sharp = shots.crops.pop(SHARP)
        shots.crops[setup.method] = to_uint8(shots.box.of(rgb))
        shots.crops[SHARP] = sharp


def _take(case: Case) -> Shots:
    """The frame of a case that is blurred most, before any method has run."""
    deblurrer = Deblurrer(method=SPIKES_METHOD)
    with open_video(case.blurry) as reader:
        frames, exposures = deblurrer.open_spikes(reader, case.spikes)
        number, blurry, sharp = _most_blurred_frame(case, islice(frames, MOST_FRAMES))
        pictures = {BLURRY: blurry.rgb}
        if exposures is not None and exposures.counts(blurry)[1]:
            [spikes] = deblurrer.frames([blurry], exposures)
            pictures[SPIKES] = spikes.rgb
    box = most_blurred(blurry.rgb, sharp.rgb)
    height, width = sharp.rgb.shape[:2]
    crops = {name: to_uint8(box.of(rgb)) for name, rgb in (*pictures.items(), (SHARP, sharp.rgb))}
    return Shots(case, number, (width, height), box, overview(blurry.rgb), crops)


def _most_blurred_frame(
    case: Case, blurry: Iterable[VideoFrame]
) -> tuple[int, VideoFrame, VideoFrame]:
    """Number, frame and truth. Raises `InputError` if there is none to compare."""
    worst, found = -1.0, None
    for number, (frame, truth) in enumerate(zip(blurry, case.truth(), strict=False)):
        if frame.rgb.shape != truth.rgb.shape:
            break
        if (error := _error(frame, truth)) > worst:
            worst, found = error, (number, frame, truth)
    if found is None:
        raise case.unlike()
    return found


def _error(blurry: VideoFrame, sharp: VideoFrame) -> float:
    return float(np.square(blurry.rgb.astype(np.float32) - sharp.rgb).mean())


def most_blurred(blurry: np.ndarray, sharp: np.ndarray) -> CropBox:
    """The part, about a third of the width, where two frames (H, W, 3) differ most."""
    height, width = sharp.shape[:2]
    across = min(width, max(CROP_WIDTHS[0], min(CROP_WIDTHS[1], width // 3)))
    down = max(1, min(height, round(across * height / width)))
    error = np.abs(to_uint8(blurry).astype(np.float64) - to_uint8(sharp)).sum(axis=-1)
    total = np.pad(error.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = (
        total[down:, across:]
        - total[:-down, across:]
        - total[down:, :-across]
        + total[:-down, :-across]
    )
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    return CropBox(int(left), int(top), across, down)


def overview(rgb: np.ndarray) -> np.ndarray:
    """The whole frame, (H, W, 3), in uint8 and at most 300 pixels wide."""
    height, width = rgb.shape[:2]
    if width <= OVERVIEW_WIDTH:
        return to_uint8(rgb)
    shape = max(1, round(height * OVERVIEW_WIDTH / width)), OVERVIEW_WIDTH
    planes = resize_planes(np.moveaxis(to_uint8(rgb).astype(np.float32), -1, 0), shape)
    return np.rint(np.clip(np.moveaxis(planes, 0, -1), 0, 255)).astype(np.uint8)
