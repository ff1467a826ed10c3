"""Sharp photographs or video in; blurry video, spikes, their sidecar and sharp video out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from spikedeblur.errors import LOGGER, InputError, UsageError
from spikedeblur.io.atomic import check_output, make_folder
from spikedeblur.io.colour import to_uint8
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.ffmpeg.writer import VideoWriter
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.spikes.stream import write_dat
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.quantities import Exposure
from spikedeblur.simulation.composition import Tone, random_scene
from spikedeblur.simulation.footage import InterpolatedVideo
from spikedeblur.simulation.photos import PhotoLibrary
from spikedeblur.simulation.recording import CameraSettings, FramePair, Recorder
from spikedeblur.simulation.scene import Scene

BLURRY, SHARP, SPIKES, SIDECAR = "blurry.mkv", "sharp.mkv", "spikes.dat", "spikes.toml"
LOSSLESS = EncoderSettings("ffv1")
PHOTO_FRAMES = 24
PHOTO_SIZE = (640, 360)
PHOTO_FPS = Fraction(50)
# Source frames that make one blurry frame, unless a frame rate is asked for.
SOURCE_FRAMES = 8


@dataclass(frozen=True)
class RigSettings:
    """Settings of `simulate`; None leaves the choice to it. Sizes are (width, height).

    `size` None: of the video, or 640x360. `spike_size` None: half of `size`. `frames` None: all
    of a video, or 24. `fps` None: an eighth of a video's, or 50. `blur_px` is the motion in an
    exposure of scenes made of photographs. The others are those of `CameraSettings`.
    """

    frames: int | None = None
    size: tuple[int, int] | None = None
    fps: Fraction | None = None
    rate_hz: Fraction = Fraction(20_000)
    spike_size: tuple[int, int] | None = None
    exposure: Fraction = Fraction(9, 10)
    threshold: float = 1.0
    blur_px: float | None = None
    gamma_space: bool = False
    seed: int = 0

    def recording(self, size: tuple[int, int], fps: Fraction) -> CameraSettings:
        """Return the cameras' settings, the missing ones taken from `size` and `fps`."""
        size = self.size or size
        half = max(1, size[0] // 2), max(1, size[1] // 2)
        return CameraSettings(
            size,
            self.spike_size or half,
            self.fps or fps,
            self.rate_hz,
            self.exposure,
            self.threshold,
            self.gamma_space,
            self.seed,
        )


@dataclass(frozen=True)
class Simulated:
    """Counts of the frames and ticks written.

    Matroska rounds times to milliseconds; those of a constant rate are exact again when read.
    """

    frames: int
    ticks: int


def _announce(frames: int, cameras: CameraSettings) -> None:
    """Say what is about to be recorded, and how much room its spikes take."""
    (width, height), (columns, rows) = cameras.size, cameras.spike_size
    ticks = frames / cameras.fps * cameras.rate_hz
    megabytes = float(ticks) * -(-columns * rows // 8) / 1e6
    LOGGER.info(
        "%d frames of %dx%d at %g a second, spikes of %dx%d at %g Hz: %.3g MB of spikes",
        *(frames, width, height, float(cameras.fps), columns, rows, float(cameras.rate_hz)),
        megabytes,
    )


def simulate(
    source: Path | str,
    output: Path | str,
    settings: RigSettings | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda frames: None,
) -> Simulated:
    """Record `source`, a folder of photographs or a sharp video, into the folder `output`.

    Writes blurry.mkv and sharp.mkv (lossless; sharp is the middle of each exposure), spikes.dat
    and spikes.toml. `progress` is called with the number of frames done.
    Raises `UsageError` for settings that cannot be, `InputError` for a source that cannot be read,
    `OutputError` for files that exist (unless `overwrite`) or cannot be written.
    """
    source, output, settings = Path(source), Path(output), settings or RigSettings()
    if settings.frames is not None and settings.frames < 1:
        raise UsageError(
            f"the number of frames must be above zero ({settings.frames} seen) - give another"
        )
    if source.is_dir():
        recording = settings.recording(PHOTO_SIZE, PHOTO_FPS)
        frames = range(settings.frames or PHOTO_FRAMES)
        _announce(len(frames), recording)
        scene = photo_scene(source, recording, len(frames), settings.blur_px)
        return write_recording(
            Recorder(scene, recording).record(frames), recording, output, overwrite, progress
        )
    with closing(open_video(source)) as video:
        recording = settings.recording(
            (video.info.width, video.info.height), video.info.average_rate / SOURCE_FRAMES
        )
        footage = InterpolatedVideo(
            (to_uint8(frame.rgb) for frame in video),
            float(video.info.average_rate / recording.fps),
            recording.size[::-1],
            recording.gamma_space,
        )
        frames_shown = footage.frame_numbers(settings.frames)
        seconds = video.info.length or 0
        _announce(settings.frames or int(seconds * recording.fps), recording)
        return write_recording(
            Recorder(footage, recording).record(frames_shown),
            recording,
            output,
            overwrite,
            progress,
        )


def photo_scene(
    photos: Path, recording: CameraSettings, frames: int, blur_px: float | None = None
) -> Scene:
    """A random scene of photographs, moving about `blur_px` (0: not at all) in an exposure.

    By default that is a fortieth of the frame's width.
    """
    library, rng = PhotoLibrary(photos), np.random.default_rng([recording.seed, 0])
    starts, stops = (
        np.array(times) for times in zip(*map(recording.shutter, range(frames)), strict=True)
    )
    blur = recording.size[0] / 40 if blur_px is None else blur_px
    return random_scene(
        lambda: library.pick(rng),
        rng,
        size=recording.size[::-1],
        starts=starts,
        stops=stops,
        blur_px=(0.7 * blur, 1.4 * blur) if blur else (1, 1),
        still=0.0 if blur else 1.0,
        objects=(2, 4),
        scales=(0.6, 1.0),
        tone=Tone(1.0, np.ones(3), recording.gamma_space),
    )


def write_recording(
    recorded: Iterator[FramePair],
    recording: CameraSettings,
    folder: Path,
    overwrite: bool,
    progress: Callable[[int], None],
) -> Simulated:
    """Write the four files of a recording into `folder`, a frame at a time."""
    make_folder(folder)
    for name in (BLURRY, SHARP, SPIKES, SIDECAR):
        check_output(folder / name, overwrite)
    width, height = recording.size
    info = VideoInfo.synthetic(width, height, recording.fps)
    with (
        VideoWriter(folder / BLURRY, info, LOSSLESS, overwrite=overwrite) as blurry,
        VideoWriter(folder / SHARP, info, LOSSLESS, overwrite=overwrite) as sharp,
    ):

        def spikes() -> Iterator[np.ndarray]:
            """Spike by spike, with the video written on the way: a frame is held only once."""
            for number, frame in enumerate(recorded):
                blurry.write(video_frame(frame.blurry, number, recording.fps))
                sharp.write(video_frame(frame.sharp, number, recording.fps))
                yield from frame.spikes
                progress(number + 1)
            if blurry.frames == 0:
                raise InputError(
                    "the video is too short for a single blurry frame - give a higher --fps"
                )

        ticks = write_dat(folder / SPIKES, spikes(), overwrite=overwrite)
    write_sidecar(folder / SIDECAR, sidecar(recording), overwrite=overwrite)
    return Simulated(blurry.frames, ticks)


def video_frame(picture: np.ndarray, number: int, fps: Fraction) -> VideoFrame:
    """Frame `number` of a video of constant rate."""
    return VideoFrame(number, number, 1 / fps, 1, 1 / fps, picture)


def sidecar(recording: CameraSettings) -> RecordingSettings:
    """Return the sidecar: what the spike file does not hold itself."""
    return RecordingSettings(
        size=recording.spike_size,
        rate_hz=recording.rate_hz,
        offset_s=Fraction(0),
        exposure=Exposure(recording.exposure / recording.fps),
    )
