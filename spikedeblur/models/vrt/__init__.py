"""VRT, the video restoration transformer, in plain torch."""

from __future__ import annotations

from spikedeblur.models.vrt.network import VRT

__all__ = ["VRT"]
