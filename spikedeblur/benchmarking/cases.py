"""Inputs of a benchmark: what a method runs over, and folders of recordings, perhaps with truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from spikedeblur.benchmarking.made_up import MadeUpClip
from spikedeblur.errors import InputError
from spikedeblur.io.spikes.source import recording_in
from spikedeblur.io.video import open_video
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.sample import NAME, make_sample


class Workload(Protocol):
    """Anything a method can be run over, again and again."""

    @property
    def name(self) -> str:
        """Its name in tables."""

    @property
    def group(self) -> str:
        """The group that it belongs to; empty where there is none."""

    @property
    def protocol(self) -> str:
        """The published set that it is a part of, whose means are those over frames; or empty."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of a frame."""

    @property
    def has_truth(self) -> bool:
        """Return whether the frames that come out are to be compared with anything."""

    @property
    def clip(self) -> MadeUpClip | None:
        """Files to time from one to the other; None where frames are timed alone."""

    def frames(self, deblurrer: Deblurrer | None) -> Iterator[VideoFrame]:
        """The frames restored, or as they are; files are opened when the first one is asked for."""

    def truth(self) -> Iterator[VideoFrame]:
        """The sharp frames; none where there is no truth."""


@dataclass(frozen=True)
class Case:
    """A folder as `simulate` writes it: blurry.*, spikes.dat with its sidecar, perhaps sharp.*.

    The spikes may be in any other format too: spikes.npy, .npz, .h5, or a folder called spikes.
    group: the folder it lies in; cases of one group are made alike.
    """

    name: str
    group: str
    blurry: Path
    spikes: Path
    sharp: Path | None
    clip = None

    @property
    def protocol(self) -> str:
        """None: cases of one's own."""
        return ""

    @classmethod
    def of_folder(cls, folder: Path) -> Case:
        """Find the files of a case. Raises `InputError` if blurry video or spikes are missing."""
        blurry, sharp = _only(folder, "blurry"), _only(folder, "sharp")
        spikes = recording_in(folder)
        if blurry is None or spikes is None:
            raise InputError(
                f"{folder} is no case (it needs blurry.* and spikes.dat) - make one "
                "with spikedeblur simulate"
            )
        folder = folder.resolve()
        return cls(folder.name, folder.parent.name, blurry, spikes, sharp)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of the video."""
        with open_video(self.blurry) as reader:
            return reader.info.width, reader.info.height

    @property
    def has_truth(self) -> bool:
        """Return whether the sharp video is there to measure against."""
        return self.sharp is not None

    def frames(self, deblurrer: Deblurrer | None) -> Iterator[VideoFrame]:
        """Yield the frames as `deblurrer` restores them, or the blurry ones without one."""
        with open_video(self.blurry) as blurry:
            if deblurrer is None:
                yield from blurry
            else:
                yield from deblurrer.frames(*deblurrer.open_spikes(blurry, self.spikes))

    def unlike(self) -> InputError:
        """Return the error for blurry and sharp video that do not have the same frames."""
        return InputError(
            f"blurry and sharp video of {self.name} differ in frames or size - "
            "make the case anew with spikedeblur simulate"
        )

    def truth(self) -> Iterator[VideoFrame]:
        """The sharp frames; none where the case has no truth."""
        if self.sharp is not None:
            with open_video(self.sharp) as reader:
                yield from reader


def find_cases(folders: Iterable[Path]) -> list[Case]:
    """The cases that the folders are, or hold at any depth, by path.

    Raises `InputError` for a folder that is no case and holds none.
    """
    found: list[Case] = []
    for folder in folders:
        inside = sorted(
            path.parent for path in folder.glob("**/spikes*") if path == recording_in(path.parent)
        )
        found += [Case.of_folder(each) for each in inside or [folder]]
    return found


def bundled_case(folder: Path) -> Case:
    """The bundled sample, recorded into `folder`, since it is drawn where it is wanted."""
    make_sample(folder)
    return replace(Case.of_folder(folder), name=NAME, group="")


def _only(folder: Path, stem: str) -> Path | None:
    found = sorted(path for path in folder.glob(f"{stem}.*") if path.suffix != ".toml")
    return found[0] if found else None
