"""One frame by several methods, side by side, before hours are spent on all of them."""

from __future__ import annotations

import base64
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from spikedeblur.benchmarking.setups import Setup, parse_methods
from spikedeblur.errors import LOGGER, InputError, UsageError
from spikedeblur.io.atomic import atomic_path
from spikedeblur.io.colour import to_uint8
from spikedeblur.io.image_files import write_image
from spikedeblur.io.lettering import LETTER_HEIGHT, lettered
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.video import VideoSelection
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.io.voxels import is_voxel_file
from spikedeblur.notebook import row_table
from spikedeblur.quantities import Region, exact, parse_region
from spikedeblur.recording.exposures import Exposures
from spikedeblur.recording.voxel_exposures import VoxelExposures
from spikedeblur.report.blurriest import blurriest_time
from spikedeblur.restoration.exposing import Spikes, warned_agreement
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.restoration.restorers import NetRestorer
from spikedeblur.vocabulary import BLURRY

__all__ = ["MethodPreview", "Preview", "preview_video"]

DEFAULT_METHODS = "sdm,net"
NEIGHBOURS = 1  # frames on either side that a method without weights is given, and timed over
BRIEF_S = 5.0  # a measurement that is made again
LEAST_PIXELS = 64 * 64  # of a region from which the time for whole frames can be told
GAP = 2  # pixels between two pictures
LETTER_ROWS = 360  # rows of a picture for each pixel that a dot of a letter is wide


@dataclass(frozen=True)
class MethodPreview:
    """The frame as one method restores it.

    picture: (H, W, 3) uint8 or uint16. seconds_per_frame: as shown, with what is restored around
    it. seconds_estimate: all frames of the video, whole, without reading and writing them. None for
    what restores nothing, for a video of unknown length, and for all of it where that is too small.
    """

    method: str
    picture: np.ndarray
    seconds_per_frame: float | None = None
    seconds_estimate: float | None = None


@dataclass(frozen=True)
class Preview:
    """A frame by several methods, the blurry one first.

    time_s: of the frame, on the video's clock. frames: those of the video, None if that is unknown.
    """

    time_s: Fraction
    frames: int | None
    methods: Sequence[MethodPreview]

    def picture(self) -> np.ndarray:
        """All of them side by side under their names, (h, w, 3) uint8 or uint16."""
        pictures = [each.picture for each in self.methods]
        if len({picture.dtype for picture in pictures}) > 1:
            pictures = [to_uint8(picture) for picture in pictures]
        height, width = pictures[0].shape[:2]
        scale = max(1, round(height / LETTER_ROWS))
        pad, white = 3 * scale, np.iinfo(pictures[0].dtype).max
        bar = LETTER_HEIGHT * scale + 2 * pad
        columns = len(pictures) * (width + GAP) - GAP
        sheet = np.zeros((bar + height, columns, 3), pictures[0].dtype)
        for place, (each, picture) in enumerate(zip(self.methods, pictures, strict=True)):
            left = place * (width + GAP)
            sheet[bar:, left : left + width] = picture
            letters = lettered(each.method, scale)[:, : max(width - pad, 0)]
            sheet[pad : bar - pad, left + pad : left + pad + letters.shape[1]][letters] = white
        return sheet

    def write(self, path: Path | str, overwrite: bool = False) -> None:
        """Write `picture` as PNG or TIFF. Raises `OutputError`."""
        with atomic_path(path, overwrite) as temporary:
            write_image(temporary, self.picture())

    def _repr_html_(self) -> str:
        with TemporaryDirectory() as folder:
            self.write(path := Path(folder) / "preview.png")
            encoded = base64.b64encode(path.read_bytes()).decode()
        timed = [each for each in self.methods if each.seconds_per_frame is not None]
        rows = [(each.method, each.seconds_per_frame, each.seconds_estimate) for each in timed]
        heads = "method", "s a frame as shown", "s for all frames"
        table = row_table(f"The frame at {float(self.time_s):.3f} s", heads, rows)
        return f'<img src="data:image/png;base64,{encoded}">{table}'

    def as_json(self) -> dict[str, Any]:
        """Everything but the pictures, as plain values."""
        figures = [
            {name: value for name, value in vars(each).items() if name != "picture"}
            for each in self.methods
        ]
        return {"time_s": float(self.time_s), "frames": self.frames, "methods": figures}


def preview_video(
    video: str | Path,
    spikes: Spikes | None,
    *,
    methods: str = DEFAULT_METHODS,
    weights: str | None = None,
    at: Fraction | float | None = None,
    region: Region | str | None = None,
    rate: Fraction | None = None,
    spike_options: RecordingSettings | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Preview:
    """Restore one frame of a video by each of `methods`.

    methods: as `benchmarking.setups.parse_methods` reads them. weights: of the method net. at:
    seconds on the video's clock, within the interval of the frame; by default the frame of the most
    motion among some that are spread over the video. region: the part of the frame, as `Region` or
    WxH+X+Y. rate: frames per second of images. spike_options: what beats the sidecar. device,
    threads: as of `Deblurrer`. progress: called with (methods shown, all of them).
    Raises `UsageError`, `InputError` and `WeightsError` as `Deblurrer` does, and `UsageError` where
    no frame is shown at that time.
    """
    region = parse_region(region) if isinstance(region, str) else region
    selection = VideoSelection(rate=rate, region=region)
    source = _Video(Path(video), spikes, spike_options, selection)
    setups = [setup for setup in parse_methods(methods, weights) if setup.kind != BLURRY]
    made = [(setup, replace(setup, device=device, threads=threads).build()) for setup in setups]
    exposures = source.exposures([each for _, each in made if each is not None])
    moment = source.blurriest(exposures) if at is None else exact(at)
    [blurry] = source.around(moment, 0, 0).frames
    shown = [MethodPreview(BLURRY, blurry.cut(source.info.kept).rgb)]
    finished = {str(each.video): source.finished(each, blurry) for each in setups if each.video}
    for done, (setup, deblurrer) in enumerate(made):
        if progress is not None:
            progress(done, len(made))
        if deblurrer is None:
            shown.append(MethodPreview(setup.method, finished[str(setup.video)]))
        else:
            shown.append(source.restored(setup.method, deblurrer, blurry))
    return Preview(blurry.time, source.info.frame_count_estimate, shown)


@dataclass(frozen=True)
class Excerpt:
    """A few frames, the place among them of the one that is meant, and their spikes."""

    frames: list[VideoFrame]
    place: int
    exposures: Exposures | None


class _Video:
    """The video and its spikes, of which a few frames around a moment are read at a time."""

    def __init__(
        self,
        path: Path,
        spikes: Spikes | None,
        options: RecordingSettings | None,
        selection: VideoSelection,
    ) -> None:
        self._path, self._spikes, self._options = path, spikes, options
        self._selection = selection
        with selection.open(path) as reader:
            self.info: VideoInfo = reader.info
            self._first = next(iter(reader))
            self._in_order = isinstance(spikes, VoxelExposures) or (
                isinstance(spikes, str | Path) and is_voxel_file(spikes)
            )  # voxel grids belong to the frames counted from the first
            for warning in reader.warnings:
                LOGGER.warning("%s", warning)

    def exposures(self, deblurrers: Sequence[Deblurrer]) -> Exposures | None:
        """The spikes as the first who takes any has them; warns where they are of another video."""
        user = next((each for each in deblurrers if each.uses_spikes), None)
        if user is None:
            return None
        fitted = user.prepared.fitted(self._path, self._spikes, self._selection, self._options)
        with fitted.open(self._path) as reader:
            self._selection, self.info = fitted, reader.info
            _, exposures = user.open_spikes(reader, self._spikes, self._options)
        warned_agreement(self._path, exposures, self._selection)
        return exposures

    def blurriest(self, exposures: Exposures | None) -> Fraction:
        """The time of the frame in whose exposure most moves; without spikes, of the middle one."""
        info, first = self.info, self._first
        if exposures is not None:
            return blurriest_time(exposures, first, info)
        return first.time + (info.frame_count_estimate or 1) // 2 / info.average_rate

    def restored(self, method: str, deblurrer: Deblurrer, blurry: VideoFrame) -> MethodPreview:
        """The frame by one method, timed over the frames it needs."""
        restorer, window = deblurrer.restorer, 2 * NEIGHBOURS + 1
        if isinstance(restorer, NetRestorer):
            window = restorer.window
        clip = self.around(blurry.time, window // 2, (window - 1) // 2, deblurrer)
        sharp, seconds = _timed(deblurrer, clip)
        if seconds < BRIEF_S:  # what runs first is slower
            sharp, seconds = _timed(deblurrer, clip)
        for warning in deblurrer.tally.warnings():
            LOGGER.warning("%s: %s", method, warning)
        # A window of the network brings its video forward by a stride.
        stride = restorer.stride if isinstance(restorer, NetRestorer) else len(clip.frames)
        picture = sharp[clip.place].cut(self.info.kept).rgb
        frames, pixels = self.info.frame_count_estimate, self.info.width * self.info.height
        share = math.prod(self.info.whole_size) / pixels
        if frames is None or (share > 1 and pixels < LEAST_PIXELS):
            return MethodPreview(method, picture, seconds / stride)
        rounds = max(1 + (frames - window) / stride, 1) if stride < window else frames / stride
        return MethodPreview(method, picture, seconds * rounds / frames, seconds * rounds * share)

    def finished(self, setup: Setup, blurry: VideoFrame) -> np.ndarray:
        """The same frame of a video that is finished. Raises `InputError` for one of other size."""
        path = Path(str(setup.video))
        if "%" not in path.name and not path.exists():
            raise InputError(f"there is no file {path} - check the name given to --methods")
        other = _Video(path, None, None, self._selection)
        if other.info.whole_size != self.info.whole_size:
            sizes = " and ".join("{}x{}".format(*each.info.whole_size) for each in (other, self))
            raise InputError(
                f"{path} and {self._path} differ in size ({sizes} seen) - leave it out, or name "
                "the video that was made of all of the frame"
            )
        [frame] = other.around(blurry.time + blurry.interval / 2, 0, 0).frames
        return frame.cut(other.info.kept).rgb

    def around(
        self, moment: Fraction, before: int, after: int, deblurrer: Deblurrer | None = None
    ) -> Excerpt:
        """The frame shown at a moment, with so many neighbours as there are.

        deblurrer: who is to be given their exposures. Raises `UsageError` where no frame is shown.
        """
        start = moment - (before + 2) / self.info.average_rate
        seeks = not self._in_order and start > self._first.time
        for selection in (replace(self._selection, start=start), self._selection)[not seeks :]:
            try:
                with selection.open(self._path) as reader:
                    frames, exposures = iter(reader), None
                    if deblurrer is not None:
                        frames, exposures = deblurrer.open_spikes(
                            reader, self._spikes, self._options
                        )
                    found = neighbours(frames, moment, before, after)
            except InputError:
                if selection is self._selection:
                    raise
                continue  # nothing is shown from there on; the spikes may not reach so far
            if found is not None:
                return Excerpt(*found, exposures)
        raise UsageError(
            f"no frame is shown at {float(moment):.6g} s ({self._path} begins at "
            f"{float(self._first.time):.6g} s{self._lasts()}) - give another --at"
        )

    def _lasts(self) -> str:
        return f" and lasts {float(self.info.duration):.6g} s" if self.info.duration else ""


def _timed(deblurrer: Deblurrer, clip: Excerpt) -> tuple[list[VideoFrame], float]:
    """The sharp frames of a clip, and the seconds they took."""
    began = time.perf_counter()
    sharp = list(deblurrer.frames(clip.frames, clip.exposures))
    return sharp, time.perf_counter() - began


def neighbours(
    frames: Iterable[VideoFrame], moment: Fraction, before: int, after: int
) -> tuple[list[VideoFrame], int] | None:
    """The frame shown at a moment and its neighbours, and its place among them; None if none is."""
    held: deque[VideoFrame] = deque(maxlen=before + 1)
    coming, later = iter(frames), []
    for frame in coming:
        if frame.time > moment:
            later = [frame]
            break
        held.append(frame)
    if not held or (not later and moment >= held[-1].time + held[-1].interval):
        return None
    later += islice(coming, max(after - 1, 0)) if later else []
    return [*held, *later[:after]], len(held) - 1
