"""What a run does, as far as its pictures depend on it: two runs of one job make equal segments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote

import torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from spikedeblur import __version__
from spikedeblur.errors import shown
from spikedeblur.io.fingerprint import fingerprint, fingerprint_of_all
from spikedeblur.io.images import is_image_sequence, numbered_files
from spikedeblur.io.spikes.packed import dat_files
from spikedeblur.io.spikes.sidecar import sidecar_path
from spikedeblur.io.spikes.source import SpikeOptions
from spikedeblur.restoration.slow_motion import SlowMotion

# How the job was begun, which may differ from run to run.
_CIRCUMSTANCES = {"video_path", "tile", "overwrite"}
_FILES = {
    "video": "the video",
    "spikes": "the spikes",
    "sidecar": "the sidecar of the spikes",
    "weights": "the weights",
    "version": "the program's version",
}


Side = Annotated[int, Field(gt=0, lt=2**31)]  # in pixels; no encoder counts on
Seconds = Annotated[str, Field(pattern=r"^-?[0-9]{1,40}(/[1-9][0-9]{0,40})?$")]


class Reading(BaseModel):
    """Keywords of `open_video`; fractions as text, such as 1001/30000."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Seconds | None = None
    end: Seconds | None = None
    rate: Seconds | None = None
    colorspace: str | None = None

    def keywords(self) -> dict[str, Any]:
        """The same as `open_video` takes them."""
        exact = {name: value and Fraction(value) for name, value in self if name != "colorspace"}
        return {**exact, "colorspace": self.colorspace}


class Output(BaseModel):
    """Keywords of `VideoSinks` and `create_video`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    compare: Literal["side", "split"] | None = None
    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str = "auto"
    encoder_options: dict[str, str] | None = None
    audio: bool = True
    subtitles: bool = True
    width: Side | None = None
    height: Side | None = None


class Job(BaseModel):
    """Hashes of what is read, and every setting by its name.

    tile: the side chosen where it follows the free memory, so that all segments have the same.
    overwrite: whether an output that was there may be replaced.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    video: str
    spikes: str | None
    sidecar: str | None
    weights: str | None
    reading: Reading
    slowmo: int = Field(gt=0, le=1000)
    slowmo_timing: str = Field(pattern="^(keep|stretch)$")
    method: dict[str, JsonValue]
    exposures: dict[str, JsonValue]
    output: Output
    segment: int = Field(gt=0)
    video_path: str
    tile: int | None
    overwrite: bool

    def differences(self, now: Job) -> Iterator[str]:
        """What `now` has otherwise, in words."""
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
        """Where the video was; JSON has no room for names that are no Unicode."""
        return Path(unquote(self.video_path, errors="surrogateescape"))


def describe_job(
    video: Path,
    spikes: object,
    options: SpikeOptions | None,
    *,
    reading: dict[str, Any],
    slow_motion: SlowMotion,
    method: dict[str, Any],
    output: dict[str, Any],
    segment: int,
    model: object,
    tile: int | None,
    overwrite: bool,
) -> Job:
    """The job of a run; all of its files are read for their hashes.

    spikes: a file, or anything with a `path`, or what else is told apart by its type only.
    """
    path = spikes if isinstance(spikes, str | Path) else getattr(spikes, "path", None)
    sidecar = None if path is None else sidecar_path(path)
    return Job(
        version=__version__,
        video=fingerprint_of_video(video),
        spikes=(
            None
            if spikes is None
            else type(spikes).__name__
            if path is None
            else fingerprint_of_recording(Path(path))
        ),
        sidecar=fingerprint(sidecar) if sidecar is not None and sidecar.exists() else None,
        weights=weights_fingerprint(model),
        reading=Reading(**_plain(reading)),
        method=method,
        slowmo=slow_motion.factor,
        slowmo_timing=slow_motion.timing,
        exposures=_plain(asdict(options or SpikeOptions())),
        output=Output(**output),
        segment=segment,
        tile=tile,
        overwrite=overwrite,
        video_path=quote(str(video.absolute()), errors="surrogateescape"),
    )


def fingerprint_of_video(path: Path) -> str:
    """The fingerprint of a video file, or of all images of a sequence. Raises `InputError`."""
    return (
        fingerprint_of_all(numbered_files(path)) if is_image_sequence(path) else fingerprint(path)
    )


def fingerprint_of_recording(path: Path) -> str:
    """The fingerprint of a spike file, or of all the files of a folder. Raises `InputError`."""
    return fingerprint_of_all(dat_files(path)) if path.is_dir() else fingerprint(path)


def weights_fingerprint(model: object) -> str | None:
    """SHA-256 of a network's tensors and their names; of another function, its name."""
    if model is None:
        return None
    if not isinstance(model, torch.nn.Module):
        return getattr(model, "__qualname__", type(model).__qualname__)
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The same as JSON holds it: fractions and paths become text."""
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def _changed(name: str, old: object, new: object) -> str:
    return f"{name.replace('_', ' ')} ({shown(old)} before, now {shown(new)})"
