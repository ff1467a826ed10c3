"""Counts of a run's frames: restored, uncovered, damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from spikedeblur.errors import InputError
from spikedeblur.notebook import fact_table
from spikedeblur.output.restored import Restored
from spikedeblur.quantities import counted


@dataclass
class FrameCounts:
    """Counts of one run, kept up to date while it goes on.

    read, written: frames. partial: frames restored from the part of their exposure that spikes
    cover. uncovered: frames passed through unchanged for want of spikes. not_finite: tiles left
    blurry because the network gave no finite numbers. damaged: corrupt packets and frames of the
    video.
    """

    read: int = 0
    written: int = 0
    partial: int = 0
    uncovered: int = 0
    not_finite: int = 0
    damaged: int = 0

    def count(self, restored: Restored) -> None:
        """Note what became of one frame that was read."""
        self.read += 1
        self.partial += 0 < restored.exposed.coverage < 1
        self.uncovered += restored.exposed.coverage == 0
        self.not_finite += restored.not_finite

    def add(self, other: FrameCounts) -> None:
        """Count what another run, or another part of this one, has done as well."""
        for name, number in asdict(other).items():
            setattr(self, name, getattr(self, name) + number)

    def check_coverage(self) -> None:
        """Raise `InputError` if spikes cover no frame at all."""
        if self.uncovered == self.read:
            raise InputError(
                f"the spikes cover none of the {self.read} frames - check --offset, "
                "--spike-rate and --spike-size"
            )

    @property
    def input_was_damaged(self) -> bool:
        """Return whether part of the output is not what a whole, covered input would have given."""
        return bool(self.uncovered or self.not_finite or self.damaged)

    def warnings(self, foretold: int = 0) -> Iterator[str]:
        """One line for each thing that did not go as wished.

        foretold: frames without spikes that were warned of before the run.
        """
        if self.partial:
            yield (
                f"spikes cover only part of the exposure of {self.partial} of {self.read} frames"
                " - they were restored from that part"
            )
        if self.uncovered and self.uncovered != foretold:
            yield (
                f"no spikes cover {self.uncovered} of {self.read} frames"
                " - they were passed through unchanged"
            )
        if self.not_finite:
            yield (
                f"the network gave no finite numbers for {self.not_finite} tiles"
                " - they were left blurry"
            )
        if self.damaged:
            yield (
                f"the video is damaged in {counted(self.damaged, 'place')} (packets or frames)"
                " - they were skipped or repaired"
            )

    def _repr_html_(self) -> str:
        return fact_table("Frames", asdict(self))
