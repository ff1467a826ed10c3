"""File layouts of published and simulated training sets: one function per layout.

Each lists the sequences that it finds under a root, by split, and finds none under a root of
another layout. Trees (STEM of a frame, SEQ of a sequence; pictures .png, .jpg or .tif):

    simulate    [train|val/]SEQ/{blurry.*, sharp.*, spikes.dat, spikes.toml}
    folders     {train,val}/SEQ/{blur,sharp,spike}/STEM
    spk-gopro   GOPRO_Large/{train,test}/SEQ/{blur_gamma,sharp}/STEM and
                GOPRO_Large_spike_seq/{train,test}/SEQ/spike/STEM.dat
    spk-x4k     {train,val}_blurry_N/GROUP/SEQ/STEM, {train,val}_fullRGB/GROUP/SEQ/STEM and
                {train,val}_spike_2xds/GROUP/SEQ/spike.dat
    s-sdm       {train,test}/{blur_data,sharp_data,spike_data}/SEQ/STEM
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.cameras import fitting_sizes
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import read_sidecar
from spikedeblur.io.spikes.source import recording_in
from spikedeblur.training.data.sequences import (
    FrameFiles,
    PictureSequence,
    RecordedSequence,
    VideoSequence,
    existing,
    read_picture,
)
from spikedeblur.vocabulary import TRAINING_LAYOUTS

Splits = dict[str, list[RecordedSequence]]
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset({".mkv", ".mp4", ".mov", ".avi", ".webm"})
TRAINING, VALIDATION = "train", "val"
# Folder names of a split; the sets that have no validation part are validated on their test part.
SPLIT_NAMES = {"train": TRAINING, "val": VALIDATION, "test": VALIDATION}
SSDM_EXPOSURE = 97
INTERPOLATED = 8


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, sorted; none when it is not there."""
    return sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder, sorted; none when it is not there."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in inside if path.suffix.lower() in PICTURE_SUFFIXES]


def same_stem(folder: Path, stem: str) -> Path:
    """Return the picture named `stem` in a folder, with any suffix."""
    found = [path for path in folder.glob(f"{stem}.*") if path.suffix.lower() in PICTURE_SUFFIXES]
    return found[0] if found else existing(folder / f"{stem}.png")


def plane_of(picture: Path, divisor: int) -> RecordingSettings:
    """Spikes on a plane smaller than a picture by a whole number."""
    height, width = read_picture(picture).shape[:2]
    return RecordingSettings(width=width // divisor, height=height // divisor)


def plane_bytes(plane: RecordingSettings) -> int:
    """Bytes of a tick."""
    assert plane.width is not None and plane.height is not None
    return -(-plane.width * plane.height // 8)


def ticks_in(path: Path, plane: RecordingSettings) -> int:
    """Whole ticks in a spike file. Raises `InputError` when the plane does not divide it."""
    size, of_tick = existing(path).stat().st_size, plane_bytes(plane)
    if size == 0 or size % of_tick:
        raise InputError(
            f"the spike file is not of {plane.width}x{plane.height} pixels ({path}, "
            f"{size} bytes) - copy it again, or give its size in a sidecar"
        )
    return size // of_tick


def centred(path: Path, plane: RecordingSettings, ticks: int | None) -> tuple[Fraction, Fraction]:
    """The middle `ticks` of a file (None: all), from and to."""
    held = ticks_in(path, plane)
    wanted = held if ticks is None else ticks
    if held < wanted:
        raise InputError(
            f"the spike file is too short ({path}, {held} ticks of {wanted}) - copy it again"
        )
    start = Fraction(held - wanted, 2)
    return start, start + wanted


def frames_with_files(
    pictures: Iterable[Path], sharp: Path, spikes: Path, plane: RecordingSettings, ticks: int | None
) -> tuple[FrameFiles, ...]:
    """Frames whose spikes are in a file each, called like the picture."""
    return tuple(
        FrameFiles(
            picture,
            same_stem(sharp, picture.stem),
            spikes / f"{picture.stem}.dat",
            *centred(spikes / f"{picture.stem}.dat", plane, ticks),
        )
        for picture in pictures
    )


def simulated(root: Path) -> Splits:
    """Find what `simulate` writes, in a folder per sequence."""

    def sequences(folder: Path) -> list[RecordedSequence]:
        return [
            VideoSequence(case.name, video_in(case, "blurry"), video_in(case, "sharp"), spikes)
            for case in folders_in(folder)
            if (spikes := recording_in(case)) is not None
        ]

    splits = {
        split: sequences(root / name)
        for name, split in SPLIT_NAMES.items()
        if folders_in(root / name)
    }
    return splits or {TRAINING: sequences(root)}


def video_in(folder: Path, stem: str) -> Path:
    """Return the video named `stem` in a folder, with any suffix."""
    found = sorted(
        path for path in folder.glob(f"{stem}.*") if path.suffix.lower() in VIDEO_SUFFIXES
    )
    return found[0] if found else existing(folder / f"{stem}.mkv")


def in_folders(root: Path) -> Splits:
    """A folder each for blurry and sharp pictures and spikes, in a folder per sequence."""
    splits: Splits = {}
    for name, split in SPLIT_NAMES.items():
        for folder in folders_in(root / name):
            pictures = pictures_in(folder / "blur")
            if not pictures or not (folder / "spike").is_dir():
                continue
            plane = described_plane(folder, root, folder / "spike" / f"{pictures[0].stem}.dat")
            frames = frames_with_files(pictures, folder / "sharp", folder / "spike", plane, None)
            splits.setdefault(split, []).append(PictureSequence(folder.name, frames, plane))
    return splits


def described_plane(folder: Path, root: Path, spikes: Path) -> RecordingSettings:
    """The spike plane by spike.toml in the sequence, its split or the root; else by file size."""
    for place in (folder, folder.parent, root):
        if (place / "spike.toml").is_file():
            settings = read_sidecar(place / "spike.toml")
            if settings.width is None:
                raise InputError(f"no spike size in {place / 'spike.toml'} - add width and height")
            return settings
    fitting = fitting_sizes(existing(spikes).stat().st_size)
    if len(fitting) != 1:
        sizes = ", ".join(f"{width}x{height}" for width, height in fitting) or "none"
        raise InputError(
            f"the spike size is not clear ({spikes}; known cameras that fit: {sizes})"
            f" - write width and height into {root / 'spike.toml'}"
        )
    return RecordingSettings(width=fitting[0][0], height=fitting[0][1])


def spk_gopro(root: Path) -> Splits:
    """SpkDeblurNet's GoPro: SEQ is named GOPRxxxx_n_yy, and n frames make n x 8 ticks of blur."""
    splits: Splits = {}
    for name, split in SPLIT_NAMES.items():
        for folder in folders_in(root / "GOPRO_Large" / name):
            pictures = pictures_in(folder / "blur_gamma")
            number = re.fullmatch(r"[^_]+_(\d+)_\d+", folder.name)
            if not pictures or number is None:
                continue
            spikes = root / "GOPRO_Large_spike_seq" / name / folder.name / "spike"
            plane = plane_of(pictures[0], 2)
            frames = frames_with_files(
                pictures, folder / "sharp", spikes, plane, INTERPOLATED * int(number[1])
            )
            splits.setdefault(split, []).append(PictureSequence(folder.name, frames, plane))
    return splits


def spk_x4k(root: Path) -> Splits:
    """SpkDeblurNet's X4K1000FPS: one stream per scene; a name says the tick of the middle."""
    splits: Splits = {}
    blurred = [path for path in folders_in(root) if re.fullmatch(r"\w+_blurry_\d+", path.name)]
    for part in blurred:
        name, _, ticks = part.name.rsplit("_", 2)
        for folder in (scene for group in folders_in(part) for scene in folders_in(group)):
            inside = folder.relative_to(part)
            spikes = root / f"{name}_spike_2xds" / inside / "spike.dat"
            pictures = sorted(pictures_in(folder), key=lambda path: middle_tick(path.stem))
            if not pictures or name not in SPLIT_NAMES:
                continue
            plane = plane_of(pictures[0], 2)
            frames = covered_frames(
                pictures,
                root / f"{name}_fullRGB" / inside,
                spikes,
                ticks_in(spikes, plane),
                int(ticks),
            )
            if frames:
                splits.setdefault(SPLIT_NAMES[name], []).append(
                    PictureSequence(str(inside), frames, plane, exposures_apart(frames))
                )
    return splits


def middle_tick(stem: str) -> int:
    """Names count in fours: 0001 is tick 4, 0001_000 tick 5, 0001_002 tick 7."""
    match = re.fullmatch(r"(\d+)(?:_(\d+))?", stem)
    if match is None:
        raise InputError(f"a picture's name is no tick ({stem}) - names are such as 0001_002")
    return int(match[1]) * 4 + (0 if match[2] is None else int(match[2]) + 1)


def covered_frames(
    pictures: Iterable[Path], sharp: Path, spikes: Path, held: int, ticks: int
) -> tuple[FrameFiles, ...]:
    """The frames whose exposure of `ticks` about the middle lies within the stream."""
    frames = []
    for picture in pictures:
        start = middle_tick(picture.stem) - ticks // 2
        if start >= 0 and start + ticks <= held:
            frames.append(
                FrameFiles(
                    picture,
                    same_stem(sharp, picture.stem),
                    spikes,
                    Fraction(start),
                    Fraction(start + ticks),
                )
            )
    return tuple(frames)


def exposures_apart(frames: tuple[FrameFiles, ...]) -> int:
    """Count the frames until the first exposure is over."""
    later = [number for number, frame in enumerate(frames) if frame.start >= frames[0].stop]
    return later[0] if later else len(frames)


def s_sdm(root: Path) -> Splits:
    """S-SDM's GoPro: the middle 97 ticks of a file are the exposure, the others around it."""
    splits: Splits = {}
    for name, split in SPLIT_NAMES.items():
        for folder in folders_in(root / name / "blur_data"):
            pictures = pictures_in(folder)
            spikes, divisor = root / name / "spike_data" / folder.name, 4
            if not spikes.is_dir():
                spikes, divisor = root / name / "spike_full" / folder.name, 1
            if not pictures:
                continue
            plane = plane_of(pictures[0], divisor)
            frames = frames_with_files(
                pictures, root / name / "sharp_data" / folder.name, spikes, plane, SSDM_EXPOSURE
            )
            splits.setdefault(split, []).append(PictureSequence(folder.name, frames, plane))
    return splits


LAYOUT_READERS: dict[str, Callable[[Path], Splits]] = dict(
    zip(TRAINING_LAYOUTS, (simulated, in_folders, spk_gopro, spk_x4k, s_sdm), strict=True)
)


def find_sequences(root: Path, layout: str | None = None) -> Splits:
    """The sequences under `root`, by split; `layout` names one of `LAYOUT_READERS`, None tries all.

    Raises `UsageError` for a layout that is not known, `InputError` when there are no sequences or
    files are missing.
    """
    if layout is not None and layout not in LAYOUT_READERS:
        raise UsageError(f"no such data layout ({layout}) - one of {', '.join(LAYOUT_READERS)}")
    if not root.is_dir():
        raise InputError(f"no such folder of training data ({root}) - check the path")
    for name in LAYOUT_READERS if layout is None else [layout]:
        splits = {split: found for split, found in LAYOUT_READERS[name](root).items() if found}
        if splits:
            return splits
    raise InputError(
        f"no sequences under {root} (layouts tried: {layout or ', '.join(LAYOUT_READERS)}) - "
        "see the manual page for the trees that are known"
    )
