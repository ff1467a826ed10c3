"""Keywords that functions and methods share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypedDict

from spikedeblur.output.shards import Shard

__all__ = ["FileKeywords", "FrameCall", "MethodKeywords"]

FrameCall = Callable[[int, int | None], None]
"""Called with (frames done, frames expected or None)."""


class MethodKeywords(TypedDict, total=False):
    """How frames are restored, as of `Deblurrer`."""

    method: str
    device: str
    precision: str
    compiled: bool
    threads: int | None
    window: int | None
    stride: int | None
    tile: int | None
    overlap: int | None
    slowmo: int
    slowmo_timing: str
    strength: float
    headroom: float


class FileKeywords(TypedDict, total=False):
    """How a file is written, as of `Deblurrer.run` and `OutputOptions`."""

    resume: bool
    shard: Shard | None
    overwrite: bool
    compare: str | None
    codec: str
    crf: int | float | None
    preset: str | None
    pix_fmt: str
    encoder_options: Mapping[str, str] | None
    audio: bool
    subtitles: bool
