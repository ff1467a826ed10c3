"""Something that is wrong with how spikes and video fit, in words and in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    code: its name, for programs. text: one line, with a figure and what to do. figures: the same in
    numbers, with units in their names.
    """

    code: str
    text: str
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def event(self) -> dict[str, Any]:
        """The finding as a line of JSON has it."""
        return {"event": "warning", "code": self.code, "message": self.text, **self.figures}
