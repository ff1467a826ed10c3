"""Names and colours of a benchmark's rows in plots and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spikedeblur.benchmarking.columns import Row
from spikedeblur.report.plots import COLOURS
from spikedeblur.vocabulary import BLURRY

GREY = "#8a8f98"
UNITS = {"precision": "{}", "tile": "tile {}", "threads": "{} threads"}


@dataclass(frozen=True)
class Names:
    """Labels and colours of rows in plots: by method, and by settings that differ."""

    varied: tuple[str, ...]
    colours: Mapping[str, str]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Names:
        """Names that tell `rows` apart."""
        varied = tuple(
            field for field in UNITS if len({row.get(field) for row in rows} - {None}) > 1
        )
        labels = dict.fromkeys(
            cls(varied, {}).label(row) for row in rows if row["method"] != BLURRY
        )
        return cls(
            varied, {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(labels)}
        )

    def label(self, row: Row) -> str:
        """The method, and the settings that are not the same in all rows."""
        return ", ".join(
            [
                row["method"],
                *(
                    UNITS[field].format(row[field])
                    for field in self.varied
                    if row.get(field) is not None
                ),
            ]
        )

    def colour(self, row: Row) -> str:
        """Grey for the blurry video."""
        return self.colours.get(self.label(row), GREY)
