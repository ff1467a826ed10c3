"""`SpikeStream` as it is opened from Python: checked keywords, errors that speak of them."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from spikedeblur.api.calls import stream_call
from spikedeblur.io.spikes import stream
from spikedeblur.io.spikes.settings import Crop
from spikedeblur.quantities import RateLike, TimeLike

__all__ = ["SpikeStream"]


class SpikeStream(stream.SpikeStream):
    """As of `io.spikes.stream`, whose docstrings it has."""

    @classmethod
    @stream_call
    def open(
        cls,
        path: str | Path,
        *,
        width: int | None = None,
        height: int | None = None,
        rate_hz: RateLike | None = None,
        flip: bool | None = None,
        bit_order: str | None = None,
        offset_s: TimeLike | None = None,
        layout: str | None = None,
        key: str | None = None,
        crop: Crop | None = None,
        bits: int | None = None,
        lenient: bool | None = None,
    ) -> Self:
        """Open a recording."""
        return super().open(
            path,
            width=width,
            height=height,
            rate_hz=rate_hz,
            flip=flip,
            bit_order=bit_order,
            offset_s=offset_s,
            layout=layout,
            key=key,
            crop=crop,
            bits=bits,
            lenient=lenient,
        )


SpikeStream.__doc__ = stream.SpikeStream.__doc__
SpikeStream.open.__func__.__doc__ = stream.SpikeStream.open.__doc__  # type: ignore[attr-defined]
