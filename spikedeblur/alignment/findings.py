"""Known values before an alignment, and its results: values, errors, confidence."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

from spikedeblur.errors import InputError
from spikedeblur.io.spikes.layouts import PLAIN
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.source import SpikeSource
from spikedeblur.notebook import fact_table
from spikedeblur.quantities import Exposure, Lens, exact

# What an alignment has to be within, and what no standard error is believed to be below.
TIME_LIMIT, PLACE_LIMIT = 0.02, 0.5  # frame intervals; video pixels
TIME_FLOOR, EXPOSURE_FLOOR, PLACE_FLOOR = 0.002, 0.004, 0.03
STANDARD_ERRORS = 1.5  # times the standard error


@dataclass(frozen=True)
class Known:
    """Values that need not be estimated; None is estimated. homography: as in a sidecar."""

    offset_s: Fraction | None = None
    exposure: Exposure | None = None
    homography: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Errors:
    """Standard errors, widened by what experience with simulated rigs asks for.

    offset, exposure: frame intervals. homography: video pixels, over what both cameras see. Zero
    for what was known.
    """

    offset: float
    exposure: float
    homography: float

    @classmethod
    def of(cls, offset: float, exposure: float, homography: float, known: Known) -> Errors:
        """From the errors that the scatter over the picture gives."""
        widened = (
            math.hypot(STANDARD_ERRORS * error, floor)
            for error, floor in (
                (offset, TIME_FLOOR),
                (exposure, EXPOSURE_FLOOR),
                (homography, PLACE_FLOOR),
            )
        )
        given = known.offset_s, known.exposure, known.homography
        return cls(
            *(
                0.0 if value is not None else error
                for value, error in zip(given, widened, strict=True)
            )
        )

    @property
    def chances(self) -> list[float]:
        """Of offset and exposure within 2 % of the interval, homography within half a pixel."""
        limits = TIME_LIMIT, TIME_LIMIT, PLACE_LIMIT
        return [
            math.erf(limit / error / math.sqrt(2)) if error else 1.0
            for limit, error in zip(
                limits, (self.offset, self.exposure, self.homography), strict=True
            )
        ]

    @property
    def confidence(self) -> float:
        """The least of the chances."""
        return min(self.chances)

    def complaint(self, drift: bool) -> InputError:
        """Of what is least sure."""
        worst = self.chances.index(self.confidence)
        if worst == 2:
            return cannot_tell(
                f"the homography (known to {self.homography:.2g} pixels)",
                "record more texture, or give --fix homography=...",
            )
        if worst == 1:
            return cannot_tell(
                f"the exposure (known to {self.exposure:.2g} of the frame interval)",
                "record more motion, or give --fix exposure=S",
            )
        if drift:
            return cannot_tell(
                f"the drift (known to {self.offset:.2g} of the frame interval)",
                "record longer, or more motion, or leave --drift out",
            )
        return cannot_tell(
            f"the offset (known to {self.offset:.2g} of the frame interval)",
            "record motion that changes, or give --fix offset=S",
        )


@dataclass(frozen=True)
class Alignment:
    """The result of an alignment: how spikes lie on the video.

    offset_s, exposure_s, homography: as in a sidecar. rate_hz: ticks per second of the video's
    clock, which is not the nominal rate if a drift was estimated. correlation: of frames and
    spikes, at most 1. frames: how many it is taken from; seen_s: when one of them begins.
    readout_s, video_lens: as in a sidecar, None where nothing of them was seen.
    """

    source: SpikeSource
    offset_s: float
    exposure_s: float
    rate_hz: float
    homography: tuple[float, ...]
    interval_s: float
    errors: Errors
    correlation: float
    frames: int
    seen_s: float
    readout_s: float | None = None
    video_lens: Lens | None = None

    @property
    def drift(self) -> float:
        """Return the gain of the spike clock on the video's, as a share."""
        return self.rate_hz / float(self.source.rate_hz) - 1

    @property
    def drift_ppm(self) -> Fraction | None:
        """The drift in millionths, as a sidecar has it; what was known where none was estimated."""
        known = self.source.settings.drift_ppm
        found = exact(round(1e6 * self.drift, 3))
        return known if abs(found - (known or 0)) < Fraction(1, 1000) else found

    @property
    def jumps(self) -> list[list[float]]:
        """Where the clock jumps, and by how much: `offset_jumps` of a sidecar."""
        return [list(each) for each in self.source.settings.offset_jumps or ()]

    @property
    def figures(self) -> dict[str, Any]:
        """In numbers, with units in their names."""
        errors, interval_s = self.errors, self.interval_s
        return {
            "offset_s": round(self.offset_s, 7),
            "offset_error_s": round(errors.offset * interval_s, 7),
            "exposure_s": round(self.exposure_s, 7),
            "exposure_error_s": round(errors.exposure * interval_s, 7),
            "homography": list(self.homography),
            "homography_error_px": round(errors.homography, 3),
            "rate_hz": round(self.rate_hz, 6),
            "drift": round(self.drift, 9),
            **({"offset_jumps": self.jumps} if self.jumps else {}),
            **({} if self.readout_s is None else {"readout_s": round(self.readout_s, 7)}),
            **({} if self.video_lens is None else {"video_lens": asdict(self.video_lens)}),
            "correlation": round(self.correlation, 5),
            "confidence": round(errors.confidence, 4),
            "frames": self.frames,
        }

    @property
    def confidence(self) -> float:
        """The chance, 0 to 1, that each of its figures is within what deblurring needs."""
        return self.errors.confidence

    def _repr_html_(self) -> str:
        return fact_table("Alignment", self.figures)

    def sidecar(self) -> RecordingSettings:
        """All that is known of the recording now."""
        known = self.source.settings
        return replace(
            known,
            drift_ppm=self.drift_ppm,
            layout=None if known.layout == PLAIN.name else known.layout,
            offset_s=_rounded(self.offset_s),
            exposure=Exposure(_rounded(self.exposure_s)),
            exposure_start_s=None,
            scale=None,
            readout_s=known.readout_s if self.readout_s is None else _rounded(self.readout_s),
            video_lens=self.video_lens or known.video_lens,
            homography=tuple(float(f"{each:.9g}") for each in self.homography),
        )


def cannot_tell(why: str, advice: str) -> InputError:
    """The one way in which an alignment fails."""
    return InputError(f"cannot tell {why} - {advice}")


def _rounded(seconds: float) -> Fraction:
    """To the tenth of a microsecond, which no camera's clock is better than."""
    return exact(round(seconds, 7))
