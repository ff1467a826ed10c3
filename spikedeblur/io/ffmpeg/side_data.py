"""Side data that FFmpeg attaches to frames, also kinds that PyAV (18) has no name for.

Exif data or the views of a stereo video would otherwise make everything else unreadable.
"""

from __future__ import annotations

from typing import Any

import av
from av.sidedata.sidedata import Type


def side_data(frame: av.VideoFrame, kind: str) -> bytes | None:
    """The bytes of one kind, by PyAV's name of it; None without any."""
    data: Any = frame.side_data.get(kind)
    return None if data is None else bytes(data)


# What may come with a frame beside the kinds that are kept (HDR10's, the display matrix) or that
# another place of the file has, by PyAV's names.
_LOST = {
    "A53_CC": "closed captions inside the pictures",
    "SPHERICAL": "the spherical projection",
    "STEREO3D": "the stereo arrangement",
    "AFD": "the active format",
    "S12M_TIMECODE": "timecodes inside the pictures",
    "AMBIENT_VIEWING_ENVIRONMENT": "the ambient light it is meant for",
    "ICC_PROFILE": "the ICC profile",
}


def lost_side_data(frame: av.VideoFrame, tags: dict[str, str], projection: bool) -> list[str]:
    """List in words the side data of a frame that is lost.

    tags: of the stream, which say how Matroska arranges stereo. projection: it is kept by other
    means.
    """
    kept = {"STEREO3D"} if "stereo_mode" in tags else set()
    kept |= {"SPHERICAL"} if projection else set()
    return [
        words
        for kind, words in _LOST.items()
        if kind not in kept and side_data(frame, kind) is not None
    ]


def _nameless(cls: type[Type], value: object) -> Type:
    member: Any = object.__new__(cls)
    member._name_, member._value_ = f"KIND_{value}", value
    named: Type = member
    return named


Type._missing_ = classmethod(_nameless)  # type: ignore[assignment]
