"""Verdict of a check of spikes against their video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from spikedeblur.agreement.coverage import Coverage
from spikedeblur.agreement.finding import Finding
from spikedeblur.notebook import fact_table


@dataclass(frozen=True)
class Agreement:
    """The result of a check of spikes against their video.

    match: how alike they are where both look, 1 for the same and 0 for no likeness at all; None
    where it cannot be told, and then `untold` says why. late_s: by how much later than is said the
    spikes fit best; None where nothing moves enough to tell, or nothing fits. shift_px: the same in
    video pixels, (to the right, down). frames: how many were compared. coverage: which frames have
    spikes, None where their number is not known. notices: what else is worth a line. worded: what
    makes of each line of a finding the one that is told.
    """

    match: float | None
    late_s: float | None = None
    shift_px: tuple[float, float] | None = None
    frames: int = 0
    untold: str = ""
    misfits: tuple[Finding, ...] = ()
    notices: tuple[Finding, ...] = ()
    coverage: Coverage | None = None
    worded: Callable[[str], str] = field(default=str, repr=False, compare=False)

    @property
    def findings(self) -> list[Finding]:
        """All that is wrong."""
        uncovered = None if self.coverage is None else self.coverage.finding()
        found = [*([] if uncovered is None else [uncovered]), *self.notices, *self.misfits]
        return [replace(each, text=self.worded(each.text)) for each in found]

    @property
    def figures(self) -> dict[str, Any]:
        """In numbers, with units in their names."""
        return {
            "covered_frames": None if self.coverage is None else self.coverage.covered,
            "spike_match": None if self.match is None else round(self.match, 3),
            "spikes_late_s": None if self.late_s is None else round(self.late_s, 5),
            "spikes_shift_px": (
                None if self.shift_px is None else [round(each, 2) for each in self.shift_px]
            ),
            "frames_compared": self.frames,
        }

    def _repr_html_(self) -> str:
        wrong = {each.code: each.text for each in self.findings}
        return fact_table("Spikes and video", {**self.figures, **wrong})
