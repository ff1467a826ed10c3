"""Options of the output as one record, from the command line to the encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from spikedeblur.errors import UsageError, shown
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.vocabulary import COMPARISONS


@dataclass(frozen=True)
class OutputOptions(EncoderSettings):
    """Everything of `EncoderSettings`, and what concerns the files as such.

    compare: also write OUTPUT_compare with blurry and sharp pictures side by side, or split in the
    middle. overwrite: replace files that exist.
    Raises `UsageError` for another comparison.
    """

    compare: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.compare not in (None, *COMPARISONS):
            raise UsageError(
                f"unknown comparison ({shown(self.compare)}) - give {' or '.join(COMPARISONS)}"
            )

    @classmethod
    def of(cls, keywords: Mapping[str, Any], given: OutputOptions | None = None) -> OutputOptions:
        """Return `given`, else the options of keyword arguments.

        Raises `UsageError` for both at once, and for a keyword that is no option.
        """
        if given is not None:
            if keywords:
                raise UsageError(
                    f"options are given twice ({', '.join(keywords)} beside options=) - "
                    "give them in one way"
                )
            return given
        known = [field.name for field in fields(cls)]
        for name in keywords:
            if name not in known:
                near = get_close_matches(name, known, n=1, cutoff=0.5)
                advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
                raise UsageError(f"unknown option ({shown(name)} seen) - {advice}")
        return cls(**keywords)
