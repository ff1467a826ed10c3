"""HDR10's static metadata: the display a video was graded on, and how bright it gets.

SMPTE ST 2086 and CTA-861.3. FFmpeg hands them out beside the frames, as its structures
AVMasteringDisplayMetadata and AVContentLightMetadata; the encoders that can write them take them
as text among their parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from spikedeblur.io.ffmpeg.side_data import side_data

# What changes from frame to frame, and would be wrong beside new pictures: none of it is kept.
_DYNAMIC = {
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DOVI_METADATA": "Dolby Vision",
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
}
# The encoders' names for the option with their own parameters, and for the two in it.
_PARAMETERS = {
    "libx264": ("x264-params", "mastering-display", "cll"),
    "libx264rgb": ("x264-params", "mastering-display", "cll"),
    "libx265": ("x265-params", "master-display", "max-cll"),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light"),
}
# Units that H.265 counts in, per unit of the colour plane and per cd/m2; SVT-AV1 takes decimals.
_CHROMATICITY, _LUMINANCE = 50_000, 10_000


@dataclass(frozen=True)
class HdrMetadata:
    """Static metadata of an HDR video; what it does not state is None.

    display: x and y of red, green, blue and white in the CIE 1931 plane, then the lowest and the
    highest luminance in cd/m2. light: MaxCLL and MaxFALL, in cd/m2.
    """

    display: tuple[Fraction, ...] | None = None
    light: tuple[int, int] | None = None

    @classmethod
    def of(cls, frame: av.VideoFrame) -> HdrMetadata | None:
        """Return the metadata of a decoded frame; None without any."""
        display, light = (
            _integers(frame, "MASTERING_DISPLAY_METADATA"),
            _integers(frame, "CONTENT_LIGHT_LEVEL"),
        )
        found = cls(
            _display(display) if len(display) == 22 else None,
            (light[0], light[1]) if len(light) == 2 else None,
        )
        return None if found == cls() else found

    def parameters(self, encoder: str) -> tuple[str, str] | None:
        """(name of an encoder's option, text for it) that write this; None if it has none."""
        if encoder not in _PARAMETERS:
            return None
        option, display, light = _PARAMETERS[encoder]
        parts = []
        if self.display is not None:
            parts.append(f"{display}={_display_text(self.display, encoder == 'libsvtav1')}")
        if self.light is not None:
            parts.append(f"{light}={self.light[0]},{self.light[1]}")
        return option, ":".join(parts)


def dynamic_metadata(frame: av.VideoFrame) -> list[str]:
    """The kinds of metadata with a frame that change from frame to frame, by name."""
    found = (name for kind, name in _DYNAMIC.items() if side_data(frame, kind) is not None)
    return sorted(set(found))


def _integers(frame: av.VideoFrame, kind: str) -> list[int]:
    data = side_data(frame, kind)
    return [] if data is None else [int(each) for each in np.frombuffer(data, np.int32)]


def _display(numbers: list[int]) -> tuple[Fraction, ...] | None:
    """Ten rationals, and whether they mean something: primaries and white, luminance."""
    *rationals, has_primaries, has_luminance = numbers
    pairs = list(zip(rationals[::2], rationals[1::2], strict=True))
    if not (has_primaries and has_luminance and all(below for _, below in pairs)):
        return None
    return tuple(Fraction(above, below) for above, below in pairs)


def _display_text(display: tuple[Fraction, ...], decimals: bool) -> str:
    def number(value: Fraction, scale: int) -> str:
        return f"{float(value):.7g}" if decimals else str(round(value * scale))

    points = [number(value, _CHROMATICITY) for value in display[:8]]
    low, high = (number(value, _LUMINANCE) for value in display[8:])
    red, green, blue, white = (f"({x},{y})" for x, y in zip(points[::2], points[1::2], strict=True))
    return f"G{green}B{blue}R{red}WP{white}L({high},{low})"
