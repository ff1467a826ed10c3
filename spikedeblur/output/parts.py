"""The folder of a run's finished parts: OUTPUT.parts, beside the output, until it is joined.

    job.json       what the run does; another job is refused
    000007.nut     segment 7 of the video, pictures only; the folder 000007 where images are made
    000007.json    its checksum and exact times: a segment without this file is not done
    end.json       how many frames the video has, once somebody has read to its end
    joining        the segments are complete, and the output is being put together

Every file is written aside, flushed to the disk and renamed, so a kill at any moment leaves
finished segments and nothing else. Nothing in a file says where another one is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import count, islice, takewhile
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from spikedeblur.errors import LOGGER, OutputError, UsageError
from spikedeblur.io.atomic import atomic_path, short_name
from spikedeblur.io.guards.sealed import read_sealed, write_sealed
from spikedeblur.io.image_names import existing_images, images_in, is_image_sequence
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.job import RunRecord
from spikedeblur.output.writers import comparison_path

Ticks = Annotated[int, Field(ge=-(1 << 60), le=1 << 60)]


class SegmentFile(BaseModel):
    """One file of a segment: checksum, pts in decoding order, where the last frame ends (both in
    ticks of the whole's time base), and the encoder's header in hexadecimal.
    """

    model_config = ConfigDict(extra="forbid")

    checksum: str
    times: list[Ticks] = []
    end: Ticks = 0
    header: str = ""


class Segment(BaseModel):
    """A finished segment: what became of its frames, and a file for each output."""

    model_config = ConfigDict(extra="forbid")

    tally: FrameCounts
    warnings: list[str]
    files: list[SegmentFile]


class End(BaseModel):
    """Facts known once the whole video has been read."""

    model_config = ConfigDict(extra="forbid")

    frames: int = Field(ge=0, lt=1 << 32)
    damaged: int


class Parts:
    """The parts of `output`; the folder need not be there. Raises `UsageError` for `/` and `.`."""

    def __init__(self, output: Path) -> None:
        if not output.name:
            raise UsageError(f"the output has no name ({output}) - name a file")
        self.output = output
        self.folder = output.with_name(f"{short_name(output.name)}.parts")
        self._job_file = self.folder / "job.json"
        self._verified: set[int] = set()  # numbers alone: their times would grow with the video

    @property
    def job(self) -> RunRecord | None:
        """The job that was begun here, None if there is none that can be read."""
        return read_sealed(self._job_file, RunRecord)

    @property
    def end(self) -> End | None:
        """The number of the video's frames, if that is known."""
        return read_sealed(self.folder / "end.json", End)

    @property
    def joining(self) -> bool:
        """Return whether the output was being put together, and may be there in part or whole."""
        return (self.folder / "joining").exists()

    def take_up(self, job: RunRecord, *, resume: bool) -> RunRecord:
        """Go on with the job, or begin it; returns it as it was begun.

        resume: keep what is done; parts of another job are then refused by `UsageError`. Else
        parts that somebody may want to keep are refused by `OutputError`, unless the job is to
        replace what is there.
        """
        begun = self.job
        worth_keeping = bool(self.numbers()) and (begun is not None or self._job_file.exists())
        if begun is not None and resume and worth_keeping:
            if differences := ", ".join(begun.differences(job)):
                raise UsageError(
                    f"{self.folder} is of another job: {differences} - give what it "
                    "was begun with, or remove the folder to begin anew"
                )
            return begun
        if worth_keeping and not job.output.overwrite:
            if begun is None:
                raise OutputError(
                    f"{self._job_file} is damaged: nobody knows what the segments "
                    f"there are of ({len(self.numbers())}) - remove the folder"
                )
            raise OutputError(
                f"work of an interrupted run is there ({len(self.numbers())} segments"
                f" in {self.folder}) - give --resume to go on, or -y to begin anew"
            )
        if begun is not None and not list(begun.differences(job)):
            return begun
        self.clear()
        write_sealed(self._job_file, job)
        return job

    def file(self, number: int, target: Path) -> Path:
        """Return the file, or folder of images, of a segment; target: output or comparison."""
        name = f"{number:06}{'-compare' if target == comparison_path(self.output) else ''}"
        return self.folder / (name if is_image_sequence(target) else f"{name}.nut")

    def add(self, number: int, segment: Segment) -> None:
        """Note that a segment is done. Raises `OutputError`."""
        write_sealed(self._record(number), segment)
        self._verified.add(number)

    def note_end(self, end: End) -> None:
        """Note how long the video is. Raises `OutputError`."""
        write_sealed(self.folder / "end.json", end)

    def note_joining(self) -> None:
        """Note that the output may be replaced from now on. Raises `OutputError`."""
        with atomic_path(self.folder / "joining", overwrite=True) as temporary:
            temporary.touch()

    def numbers(self) -> list[int]:
        """Return the numbers of the segments noted as done, in order."""
        names = (path.stem for path in self.folder.glob("*.json"))
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def segment(self, number: int) -> Segment | None:
        """Return a segment that is done and whole; a damaged one is forgotten with a warning."""
        if not self._record(number).exists():
            return None
        segment = read_sealed(self._record(number), Segment)
        known = number in self._verified
        if segment is None or not (known or self._is_whole(number, segment)):
            LOGGER.warning("segment %d in %s is damaged: it is made again", number, self.folder)
            self._record(number).unlink(missing_ok=True)
            return None
        self._verified.add(number)
        return segment

    def missing(self, numbers: Iterable[int]) -> Iterator[int]:
        """Those of `numbers`, which increase and may be endless, that are still to be done."""
        length, end = self._length, self.end
        if end is not None:
            numbers = takewhile(lambda number: number * length < end.frames, numbers)
        return (number for number in numbers if self.segment(number) is None)

    def lacking(self) -> str:
        """Describe in words what is still missing."""
        if self.end is None:
            return f"{len(self.numbers())} segments are done, the last is not among them"
        numbers = [str(number) for number in islice(self.missing(count()), 6)]
        return f"missing are segments {', '.join(numbers[:5])}{' and more' * (len(numbers) > 5)}"

    def complete(self) -> list[Segment] | None:
        """All segments of the video, in order; None while one is missing or the end is unknown."""
        end = self.end
        if end is None:
            return None
        numbers = range(-(-end.frames // self._length))
        if len(self.numbers()) < len(numbers):
            return None
        segments = [segment for number in numbers if (segment := self.segment(number)) is not None]
        return segments if len(segments) == len(numbers) else None

    def clear(self) -> None:
        """Forget every part; locks stay. Raises `OutputError`."""
        try:
            self._job_file.unlink(missing_ok=True)  # first: parts without a job are nobody's
            for entry in self.folder.iterdir():
                if entry.is_dir():
                    shutil.rmtree(entry)
                elif entry.suffix != ".lock":
                    entry.unlink()
        except OSError as error:
            raise self._cannot_remove(error) from error

    def remove(self) -> None:
        """Remove the folder with everything in it, at once for others. Raises `OutputError`."""
        doomed = self.folder.with_name(f".{self.folder.name}.old")
        try:
            if doomed.exists():  # a kill has left it
                shutil.rmtree(doomed)
            if self.folder.exists():
                os.replace(self.folder, doomed)
                shutil.rmtree(doomed)
        except OSError as error:
            raise self._cannot_remove(error) from error

    def _cannot_remove(self, error: OSError) -> OutputError:
        return OutputError(f"cannot remove {self.folder} ({error.strerror}) - remove it by hand")

    @cached_property
    def _length(self) -> int:
        job = self.job
        return 1 if job is None else job.segment

    def _record(self, number: int) -> Path:
        return self.folder / f"{number:06}.json"

    def _is_whole(self, number: int, segment: Segment) -> bool:
        try:
            found = [checksum(self.file(number, target)) for target in self._outputs]
        except OSError:
            return False
        return found == [file.checksum for file in segment.files]

    @cached_property
    def _outputs(self) -> list[Path]:
        """The files written by a run; a segment has a file for each."""
        job = self.job
        compared = job is not None and job.output.compare is not None
        return [self.output, comparison_path(self.output)] if compared else [self.output]


def checksum(path: Path) -> str:
    """SHA-256 of a segment's file, or of all the images in its folder. Raises `OSError`."""
    digest = hashlib.sha256()
    for file in images_in(path) if path.is_dir() else [path]:
        if not file.is_file():
            raise FileNotFoundError(file)  # a pipe or a device might never end
        digest.update(f"{file.name}\n".encode(errors="surrogateescape"))
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def is_finished(output: Path) -> bool:
    """Return whether `output`, a file or images, is there and no parts are left to go on with."""
    there = bool(existing_images(output)) if is_image_sequence(output) else output.is_file()
    return there and Parts(output).job is None
