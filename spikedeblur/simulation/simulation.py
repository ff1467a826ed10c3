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
from spikedeblur.io.spikes.sidecar import write_sidecar
from spikedeblur.io.spikes.stream import write_dat
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.simulation.composition import Tone, random_scene
from spikedeblur.simulation.footage import InterpolatedVideo
from spikedeblur.simulation.photos import PHOTO_SUFFIXES, PhotoLibrary
from spikedeblur.simulation.recording import CameraSettings, FramePair, Recorder, sidecar
from spikedeblur.simulation.rig import Lead, RigSettings
from spikedeblur.simulation.scene import Scene

BLURRY, SHARP, SPIKES, SIDECAR = "blurry.mkv", "sharp.mkv", "spikes.dat", "spikes.toml"
FILES = BLURRY, SHARP, SPIKES, SIDECAR
LOSSLESS = EncoderSettings("ffv1")
PHOTO_FRAMES = 24
PHOTO_SIZE = (640, 360)
PHOTO_FPS = Fraction(50)
# Source frames that make one blurry frame, unless a frame rate is asked for.
SOURCE_FRAMES = 8
FEWEST_SOURCE_FRAMES = 3  # of a video, in an exposure, that its blur is made of without guessing
LONGEST_S = Fraction(1, 10)  # an exposure that no camera of moving scenes has


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
    megabytes = float(ticks) * -(-columns * rows * cameras.bits // 8) / 1e6
    LOGGER.info(
        "%d frames of %dx%d at %g a second, spikes of %dx%d at %g Hz: %.3g MB of spikes",
        *(frames, width, height, float(cameras.fps), columns, rows, float(cameras.rate_hz)),
        megabytes,
    )


def simulate_rig(
    source: Path | str,
    output: Path | str,
    settings: RigSettings | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda frames: None,
) -> Simulated:
    """Record `source`, a photograph, a folder of them, or a sharp video, into the folder `output`.

    Writes blurry.mkv and sharp.mkv (lossless; sharp is the middle of each exposure), spikes.dat
    and spikes.toml. `progress` is called with the number of frames done.
    Raises `UsageError` for settings that cannot be, `InputError` for a source that cannot be read,
    `OutputError` for files that exist (unless `overwrite`) or cannot be written.
    """
    source, output, settings = Path(source), Path(output), settings or RigSettings()
    count, recording = planned(source, settings)
    if not _is_photos(source):
        with closing(open_video(source)) as video:
            _warn_of_steps(settings.source_fps or video.info.average_rate, recording)
    _announce(count, recording)
    return record_all(source, output, settings, overwrite=overwrite, progress=progress)


def planned(source: Path, settings: RigSettings) -> tuple[int, CameraSettings]:
    """Return how many frames will be made, about, and by which cameras. Raises as `simulate`."""
    if settings.frames is not None and settings.frames < 1:
        raise UsageError(
            f"the number of frames must be above zero ({settings.frames} seen) - give another"
        )
    if _is_photos(source):
        return settings.frames or PHOTO_FRAMES, settings.recording(PHOTO_SIZE, PHOTO_FPS)
    if settings.parallax:
        raise UsageError(
            f"a video has no depth that is known (parallax {settings.parallax:g} seen) - "
            "give photographs"
        )
    with closing(open_video(source)) as video:
        rate = settings.source_fps or video.info.average_rate
        recording = settings.recording((video.info.width, video.info.height), rate / SOURCE_FRAMES)
        seconds = (video.info.length or 0) * video.info.average_rate / rate
    return settings.frames or int(seconds * recording.fps), recording


def record_all(
    source: Path,
    output: Path,
    settings: RigSettings,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda frames: None,
) -> Simulated:
    """Record all frames, as `simulate` does, without a word."""
    count, recording = planned(source, settings)
    lead = settings.lead(recording)
    if _is_photos(source):
        scene = photo_scene(source, recording, lead.frames + count, settings.blur_px)
        recorded = Recorder(scene, recording).record(range(lead.frames + count))
        return write_recording(recorded, recording, output, overwrite, progress, lead)
    with closing(open_video(source)) as video:
        rate = settings.source_fps or video.info.average_rate
        footage = InterpolatedVideo(
            (to_uint8(frame.rgb) for frame in video),
            float(rate / recording.fps),
            recording.size[::-1],
            recording.gamma_space,
        )
        frames_shown = footage.frame_numbers(settings.frames and settings.frames + lead.frames)
        return write_recording(
            Recorder(footage, recording).record(frames_shown),
            recording,
            output,
            overwrite,
            progress,
            lead,
        )


def _is_photos(source: Path) -> bool:
    """Return whether it is a folder of photographs, or one, and no video."""
    return source.is_dir() or (source.is_file() and source.suffix.lower() in PHOTO_SUFFIXES)


def _warn_of_steps(rate: Fraction, recording: CameraSettings) -> None:
    """Warn of exposures that are made of few frames, or are longer than any camera's."""
    seconds = recording.exposure / recording.fps
    frames = float(seconds * rate)
    told = f"{float(rate):g} source frames a second"
    if frames < FEWEST_SOURCE_FRAMES:
        LOGGER.warning(
            "an exposure of %.3g ms is made of %.2g frames (%s): its blur is guessed between "
            "them - give a lower --fps, or footage of more frames a second (--source-fps, where it "
            "was slowed down)",
            *(1000 * float(seconds), frames, told),
        )
    elif seconds > LONGEST_S:
        LOGGER.warning(
            "exposures are %.3g ms at %.3g blurry frames a second (%s) - give --source-fps if the "
            "footage was slowed down, or a higher --fps",
            *(1000 * float(seconds), float(recording.fps), told),
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
    lead: Lead | None = None,
) -> Simulated:
    """Write the four files of a recording into `folder`, a frame at a time."""
    lead = lead or Lead()
    make_folder(folder)
    for name in FILES:
        check_output(folder / name, overwrite)
    width, height = recording.size
    info = VideoInfo.synthetic(width, height, recording.fps)
    with (
        VideoWriter(folder / BLURRY, info, LOSSLESS, overwrite=overwrite) as blurry,
        VideoWriter(folder / SHARP, info, LOSSLESS, overwrite=overwrite) as sharp,
    ):

        def spikes() -> Iterator[np.ndarray]:
            """Spike by spike, with the video written on the way: a frame is held only once."""
            unwanted = lead.ticks
            for number, frame in enumerate(recorded, -lead.frames):
                if number >= 0:
                    blurry.write(video_frame(frame.blurry, number, recording.fps))
                    sharp.write(video_frame(frame.sharp, number, recording.fps))
                for block in frame.spikes:
                    kept = block[unwanted:]
                    unwanted -= len(block) - len(kept)
                    yield kept
                progress(max(number + 1, 0))
            if blurry.frames == 0:
                raise InputError(
                    "the video is too short for a single blurry frame - give a higher --fps"
                )

        ticks = write_dat(folder / SPIKES, spikes(), bits=recording.bits, overwrite=overwrite)
    write_sidecar(folder / SIDECAR, sidecar(recording, lead.offset_s), overwrite=overwrite)
    return Simulated(blurry.frames, ticks)


def video_frame(picture: np.ndarray, number: int, fps: Fraction) -> VideoFrame:
    """Frame `number` of a video of constant rate."""
    return VideoFrame(number, number, 1 / fps, 1, 1 / fps, picture)
