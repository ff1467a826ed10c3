"""Records of runs, as far as pictures depend on them: runs of one job make equal segments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from spikedeblur import __version__
from spikedeblur.errors import UsageError, shown
from spikedeblur.io.fingerprint import fingerprint, fingerprint_of_all
from spikedeblur.io.image_names import is_image_sequence, named_sequence, numbered_files
from spikedeblur.io.spikes.packed import dat_files
from spikedeblur.io.spikes.settings import RecordingSettings, merged
from spikedeblur.io.spikes.sidecar import existing_sidecar
from spikedeblur.io.spikes.stream import IN_MEMORY
from spikedeblur.io.video import VideoSelection
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.slow_motion import SlowMotion
from spikedeblur.quantities import parse_region

# How the job was begun, which may differ from run to run.
_CIRCUMSTANCES: dict[str, Any] = {"video_path": True, "tile": True, "output": {"overwrite"}}
_FILES = {
    "video": "the video",
    "spikes": "the spikes",
    "sidecar": "the sidecar of the spikes",
    "weights": "the weights",
    "version": "the program's version",
}


Seconds = Annotated[str, Field(pattern=r"^-?[0-9]{1,40}(/[1-9][0-9]{0,40})?$")]


class StoredSelection(BaseModel):
    """A `VideoSelection`; fractions as text, such as 1001/30000."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Seconds | None = None
    end: Seconds | None = None
    rate: Seconds | None = None
    colorspace: str | None = None
    region: str | None = Field(None, pattern=r"^[0-9]{1,9}x[0-9]{1,9}(\+[0-9]{1,9}){2}$")

    @classmethod
    def of(cls, selection: VideoSelection) -> StoredSelection:
        """The same as text."""
        said = {name: getattr(selection, name) for name in cls.model_fields}
        return cls(**{name: str(value) for name, value in said.items() if value is not None})

    @property
    def selection(self) -> VideoSelection:
        """The same with numbers."""
        start, end, rate = (
            None if text is None else Fraction(text) for text in (self.start, self.end, self.rate)
        )
        region = None if self.region is None else parse_region(self.region)
        return VideoSelection(start, end, rate, self.colorspace, region)


class RunRecord(BaseModel):
    """Hashes of what is read, and every setting by its name.

    tile: the side chosen where it follows the free memory, so that all segments have the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    video: str
    spikes: str | None
    sidecar: str | None
    weights: str | None
    reading: StoredSelection
    slowmo: int = Field(gt=0, le=1000)
    slowmo_timing: str = Field(pattern="^(keep|stretch)$")
    method: dict[str, JsonValue]
    exposures: dict[str, JsonValue]
    output: OutputOptions
    segment: int = Field(gt=0)
    video_path: str
    tile: int | None

    def differences(self, now: RunRecord) -> Iterator[str]:
        """Yield in words what is different in `now`."""
        then = self.model_dump(exclude=_CIRCUMSTANCES)
        for name, new in now.model_dump(exclude=_CIRCUMSTANCES).items():
            old = then[name]
            if name in _FILES:
                if old != new:
                    yield _FILES[name]
            elif isinstance(new, dict):
                yield from (
                    _changed(key, old.get(key), new.get(key))
                    for key in {**old, **new}
                    if old.get(key) != new.get(key)
                )
            elif old != new:
                yield _changed(name, old, new)

    @property
    def video_file(self) -> Path:
        """Path of the video; JSON has no room for names that are no Unicode."""
        return Path(unquote(self.video_path, errors="surrogateescape"))


def describe_job(
    video: Path,
    spikes: object,
    options: RecordingSettings | None,
    *,
    selection: VideoSelection,
    slow_motion: SlowMotion,
    method: dict[str, Any],
    output: OutputOptions,
    segment: int,
    model: object,
    tile: int | None,
) -> RunRecord:
    """The job of a run; all of its files are read for their hashes.

    spikes: a file, or anything with a `path`, or something known by its type only.
    """
    if segment < 1:
        raise UsageError(f"no frame is in a segment (--segment {segment}) - give 1 or more")
    path = spikes if isinstance(spikes, str | Path) else getattr(spikes, "path", None)
    path = None if path == IN_MEMORY else path
    sidecar = None if path is None else existing_sidecar(path)
    return RunRecord(
        version=__version__,
        video=fingerprint_of_video(video),
        spikes=(
            None
            if spikes is None
            else type(spikes).__name__
            if path is None
            else fingerprint_of_recording(Path(path))
        ),
        sidecar=None if sidecar is None else fingerprint(sidecar),
        weights=weights_fingerprint(model),
        reading=StoredSelection.of(selection),
        method=method,
        slowmo=slow_motion.factor,
        slowmo_timing=slow_motion.timing,
        exposures=_plain(_said(options)),
        output=output,
        segment=segment,
        tile=tile,
        video_path=quote(str(video.absolute()), errors="surrogateescape"),
    )


def fingerprint_of_video(path: Path) -> str:
    """The fingerprint of a video file, or of all images of a sequence. Raises `InputError`."""
    path = named_sequence(path)
    return (
        fingerprint_of_all(numbered_files(path)) if is_image_sequence(path) else fingerprint(path)
    )


def fingerprint_of_recording(path: Path) -> str:
    """The fingerprint of a spike file, or of all the files of a folder. Raises `InputError`."""
    return fingerprint_of_all(dat_files(path)) if path.is_dir() else fingerprint(path)


def weights_fingerprint(model: object) -> str | None:
    """SHA-256 of a network's tensors and their names; of another model, its class."""
    if model is None:
        return None
    if not isinstance(model, torch.nn.Module):
        return f"{type(model).__module__}.{type(model).__qualname__}"
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _said(options: RecordingSettings | None) -> dict[str, Any]:
    """Every option that is given, and what its fallback gives, by name."""
    if options is None:
        return {}
    known = merged(("option", options), ("rig", options.fallback))
    return {name: asdict(known)[name] for name in known.given}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The same as JSON holds it: fractions and paths become text."""
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def _changed(name: str, old: object, new: object) -> str:
    return f"{name.replace('_', ' ')} ({shown(old)} before, now {shown(new)})"
