"""Setups of a benchmark: a method and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from spikedeblur.benchmarking.cases import Workload
from spikedeblur.errors import InputError, UsageError, shown
from spikedeblur.io.image_names import is_image_sequence
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import FALLBACK_RATE
from spikedeblur.models.checkpoint import packaged_weights, weights_path
from spikedeblur.restoration.methods import METHODS
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.restoration.restorers import restorer_of
from spikedeblur.vocabulary import BLURRY, FINISHED, NETWORK, WEIGHTS_SUFFIXES

KNOWN = (BLURRY, *METHODS, NETWORK)
CASE = "{case}"  # in the name of a finished video
IDLE = (BLURRY, FINISHED)  # kinds that restore nothing


@dataclass(frozen=True)
class Setup:
    """A method with what it runs with; plain values, so that they can be sent to another process.

    method: its name in tables. kind: blurry, video, net, or what `Deblurrer` takes as method.
    video: the file of a finished video, with {case} for the name of a case.
    The rest is as in `Deblurrer`, and says nothing of methods that use none of it.
    """

    method: str
    kind: str
    weights: str | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    tile: int | None = None
    video: str | None = None

    def video_of(self, job: Workload) -> Path:
        """The finished video of a job."""
        return Path(str(self.video).replace(CASE, job.name))

    @property
    def is_timeable(self) -> bool:
        """Return whether it has work on frames that come with counts, but without a stream."""
        method = METHODS.get(self.kind.partition(":")[0])
        return self.kind not in IDLE and not (method and method.needs_stream)

    def build(self) -> Deblurrer | None:
        """Make the method ready; None for what restores nothing. Raises as `Deblurrer` does."""
        if self.kind in IDLE:
            return None
        return Deblurrer(
            self.weights,
            method=self.kind,
            device=self.device,
            precision=self.precision,
            threads=self.threads,
            tile=self.tile,
        )


def parse_methods(text: str, weights: str | None = None) -> list[Setup]:
    """`blurry,sdm:0.125,net,own.safetensors` -> a setup for each, in that order, none twice.

    sdm and tfp may name the part of the exposure their rates are taken over. A name that is no
    method is that of weights, a file or what is packaged, or of a finished video, which has another
    suffix than weights. weights: those of `net`.
    Raises `UsageError` for unknown names, `WeightsError` for weights that are not there.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UsageError(f"no method ({text!r}) - give some of {', '.join(KNOWN)}")
    stems = [Path(name).stem for name in names]
    return [
        _setup(name, weights, stem if stems.count(stem) == 1 else name)
        for name, stem in zip(names, stems, strict=True)
    ]


def _setup(name: str, weights: str | None, short: str) -> Setup:
    if name == NETWORK:
        return Setup(name, NETWORK, str(weights_path(weights)))
    if name == BLURRY:
        return Setup(name, BLURRY)
    if name.partition(":")[0] in METHODS:
        restorer_of(name)  # says what is wrong with it
        return Setup(name, name)
    if name in packaged_weights() or Path(name).suffix.lower() in WEIGHTS_SUFFIXES:
        return Setup(short, NETWORK, str(weights_path(name)))
    if Path(name).suffix and name.partition(":")[0] not in KNOWN:
        return Setup(short, FINISHED, video=name)
    raise UsageError(
        f"unknown method ({shown(name)}) - give some of {', '.join(KNOWN)}, "
        "sdm:FRACTION, a weights file or a finished video"
    )


def check_finished(setups: Sequence[Setup], jobs: Sequence[Workload]) -> None:
    """Refuse finished videos that are not there, and one for several cases.

    Also of another size than the case. Raises `InputError` and `UsageError`.
    """
    for setup in setups:
        if setup.video is None:
            continue
        if len(jobs) > 1 and CASE not in setup.video:
            raise UsageError(
                f"one video for {len(jobs)} cases ({setup.video}) - name it with {CASE}, which "
                f"stands for the case's name"
            )
        for video in map(setup.video_of, jobs):
            if "%" not in video.name and not video.exists():
                raise InputError(f"there is no file {video} - check the name given to --methods")
        for job in jobs:
            check_finished_size(setup.video_of(job), job)


def check_finished_size(video: Path, job: Workload) -> None:
    """Raise `InputError` unless a finished video has frames as large as those of a workload."""
    if video.is_dir():
        return  # images, whose sizes are seen when they are read
    with open_video(video, rate=FALLBACK_RATE if is_image_sequence(video) else None) as reader:
        size = reader.info.width, reader.info.height
    if size != job.size:
        sizes = " and ".join("{}x{}".format(*each) for each in (size, job.size))
        raise InputError(
            f"{video} and {job.name} differ in size ({sizes} seen) - name a video of its frames"
        )


def vary(
    setups: Sequence[Setup],
    *,
    device: str,
    precisions: Sequence[str],
    threads: Sequence[int | None],
    tiles: Sequence[int | None],
) -> list[Setup]:
    """Each setup with every combination of what it is to run with, as far as it uses it.

    Only the network has a device, a precision and tiles; threads are for all but `blurry`.
    """
    varied = []
    for setup in setups:
        if setup.kind == NETWORK:
            varied += [
                replace(setup, device=device, precision=precision, threads=count, tile=tile)
                for precision, tile, count in product(precisions, tiles, threads)
            ]
        else:
            used = threads if setup.kind not in IDLE else threads[:1]
            varied += [replace(setup, device="cpu", threads=count) for count in used]
    return varied
