"""Sums over the steps since the last record."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import NamedTuple


class Means(NamedTuple):
    """Mean loss, mean seconds of a step, and the fraction of them spent waiting for clips."""

    loss: float
    seconds: float
    wait: float


@dataclass
class StepStatistics:
    """Running sums; part of the state, so that a resumed run records the same losses."""

    steps: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0

    def add(self, loss: float, seconds: float, waited: float) -> None:
        """Count one step."""
        self.steps += 1
        self.loss += loss
        self.seconds += seconds
        self.waited += waited

    def means(self) -> Means:
        """Return the means over the counted steps (at least one)."""
        return Means(
            self.loss / self.steps, self.seconds / self.steps, self.waited / max(self.seconds, 1e-9)
        )

    def as_list(self) -> list[float]:
        """The sums as numbers, for a state."""
        return list(astuple(self))
