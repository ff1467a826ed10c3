"""What FFmpeg attaches to frames: also beside kinds of it that PyAV (18) has no name for.

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


def _nameless(cls: type[Type], value: object) -> Type:
    member: Any = object.__new__(cls)
    member._name_, member._value_ = f"KIND_{value}", value
    named: Type = member
    return named


Type._missing_ = classmethod(_nameless)  # type: ignore[assignment]
