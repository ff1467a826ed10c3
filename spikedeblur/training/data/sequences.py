"""Recorded sequences: blurry and sharp frames and the spikes of each frame's exposure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from spikedeblur.errors import InputError
from spikedeblur.io.colour import to_uint8
from spikedeblur.io.image_files import read_image
from spikedeblur.io.spikes.packed import dat_files
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import read_sidecar, sidecar_path
from spikedeblur.io.spikes.stream import SpikeStream, is_array_file
from spikedeblur.io.video import Reader, open_video
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.recording.timeline import exposure_interval
from spikedeblur.recording.voxel import voxelize_ticks
from spikedeblur.simulation.photos import read_photo
from spikedeblur.vocabulary import AUTO_TRANSFER, SRGB

# The beginning of a sequence by which it is recognised.
TELLING_BYTES = 1 << 20
ANY_SIZE = 1 << 16


@dataclass(frozen=True)
class RecordedFrame:
    """One frame: `blurry` and `sharp` (H, W, 3) uint8, `counts` (K, Hs, Ws) float32."""

    blurry: np.ndarray
    sharp: np.ndarray
    counts: np.ndarray


class RecordedSequence(Protocol):
    """Frames one after the other; those `step` apart have exposures that do not overlap."""

    @property
    def name(self) -> str:
        """Its name in messages."""
        ...

    @property
    def step(self) -> int:
        """From one frame to the next whose exposure does not overlap it."""
        ...

    def __len__(self) -> int: ...

    def read(self, numbers: range, bins: int) -> Iterator[RecordedFrame]:
        """Yield the frames `numbers`, ascending. Raises `InputError` for missing files."""
        ...

    def marks(self) -> set[str]:
        """Marks by which the sequence is recognised: its content, a telling name."""
        ...


def digest(path: Path) -> str:
    """A digest of the beginning of a file."""
    with existing(path).open("rb") as file:
        return hashlib.sha256(file.read(TELLING_BYTES)).hexdigest()


def existing(path: Path) -> Path:
    """The path. Raises `InputError` when no such file is there."""
    if not path.is_file():
        raise InputError(f"a file of the training set is missing ({path}) - complete the set")
    return path


def read_picture(path: Path) -> np.ndarray:
    """A PNG, TIFF or JPEG as (H, W, 3) uint8."""
    existing(path)
    if path.suffix.lower() in (".jpg", ".jpeg"):
        return read_photo(path, ANY_SIZE)
    return to_uint8(read_image(path))


@dataclass(frozen=True)
class FrameFiles:
    """A frame in files of its own: pictures, and the ticks from `start` to `stop` of `spikes`."""

    blurry: Path
    sharp: Path
    spikes: Path
    start: Fraction
    stop: Fraction


@dataclass(frozen=True)
class PictureSequence:
    """A sequence of picture files; `sidecar` says how the spike files are to be read."""

    name: str
    frames: tuple[FrameFiles, ...]
    sidecar: RecordingSettings
    step: int = 1

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, numbers: range, bins: int) -> Iterator[RecordedFrame]:
        """Yield the frames `numbers`, ascending. Raises `InputError` for missing files."""
        for number in numbers:
            files = self.frames[number]
            with open_stream(existing(files.spikes), self.sidecar) as stream:
                counts = voxelize_ticks(stream, bins, files.start, files.stop)
            yield RecordedFrame(read_picture(files.blurry), read_picture(files.sharp), counts)

    def marks(self) -> set[str]:
        """Return the marks by which the sequence is recognised."""
        return {self.name, digest(self.frames[0].blurry)}


@dataclass(frozen=True)
class VideoSequence:
    """A sequence in two videos and one spike file with its sidecar, as `simulate` writes them."""

    name: str
    blurry: Path
    sharp: Path
    spikes: Path
    step: int = 1

    @cached_property
    def sidecar(self) -> RecordingSettings:
        """Settings of how the spikes are read. Raises `InputError` when size or rate is open."""
        settings = read_sidecar(existing(sidecar_path(self.spikes)))
        sized = is_array_file(self.spikes) or settings.width is not None
        if not sized or settings.rate_hz is None:
            raise InputError(
                f"the sidecar of {self.spikes} lacks the spike size or rate - "
                "add width, height and rate_hz"
            )
        laid = settings.homography, settings.scale, settings.video_lens, settings.spike_lens
        curved = settings.transfer not in (None, AUTO_TRANSFER, SRGB)
        if settings.readout_s or curved or any(each is not None for each in laid):
            raise InputError(
                f"training wants spikes over whole frames in sRGB, exposed at once ({self.spikes} "
                "has a homography, a scale, a lens, a readout or another curve) - leave it out"
            )
        return settings

    @cached_property
    def _length(self) -> tuple[int, Fraction]:
        """Number of frames and frames per second."""
        with open_video(existing(self.blurry)) as video:
            count = video.info.frame_count_estimate
            return (sum(1 for _ in video) if count is None else count), video.info.average_rate

    def __len__(self) -> int:
        return self._length[0]

    def read(self, numbers: range, bins: int) -> Iterator[RecordedFrame]:
        """Yield the frames `numbers`, ascending. Raises `InputError` for missing files."""
        # From half an interval early: containers round times, and no other frame is so near.
        start = (numbers.start - Fraction(1, 2)) / self._length[1]
        with (
            open_video(existing(self.blurry), start=max(start, Fraction(0))) as blurry,
            open_video(existing(self.sharp), start=max(start, Fraction(0))) as sharp,
            open_stream(self.spikes, self.sidecar) as stream,
        ):
            both = zip(self._taken(blurry, numbers), self._taken(sharp, numbers), strict=True)
            for seen, wanted in both:
                yield RecordedFrame(
                    to_uint8(seen.rgb), to_uint8(wanted.rgb), self._counts(stream, seen, bins)
                )

    def _taken(self, video: Reader, numbers: range) -> Iterator[VideoFrame]:
        """Every `numbers.step`-th frame of a video opened at the first of them."""
        last = numbers[-1] - numbers.start + 1
        taken = 0
        for frame in islice(video, 0, last, numbers.step):
            taken += 1
            yield frame
        if taken < len(numbers):
            raise InputError(
                f"the video ends before frame {numbers[-1]} ({self.blurry.parent}) - "
                "write the sequence again"
            )

    def _counts(self, stream: SpikeStream, frame: VideoFrame, bins: int) -> np.ndarray:
        settings, (time, shown) = self.sidecar, frame.span
        interval = exposure_interval(
            time,
            shown,
            settings.exposure.seconds(shown) if settings.exposure else shown,
            settings.offset_s or Fraction(0),
            stream.rate_hz,
            settings.exposure_start_s,
        )
        return voxelize_ticks(stream, bins, interval.start, interval.stop)

    def marks(self) -> set[str]:
        """Return the marks by which the sequence is recognised."""
        # Not the name: these sequences are called as their maker likes, 001 in every split.
        return {digest(dat_files(self.spikes)[0] if self.spikes.is_dir() else self.spikes)}


def open_stream(path: Path, settings: RecordingSettings) -> SpikeStream:
    """The spikes of a file, read as its sidecar says; a rate is needed for nothing but seconds."""
    return SpikeStream.read_as(path, replace(settings, rate_hz=settings.rate_hz or Fraction(1)))
