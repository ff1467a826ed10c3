"""The kinds of blocks that stages are made of, by the name that a configuration gives them.

A new kind is a module with a subclass of `Stage`, and a line here.
"""

from __future__ import annotations

from spikedeblur.models.vrt.conv import ConvStage
from spikedeblur.models.vrt.stages import Stage
from spikedeblur.models.vrt.tmsa import TMSAStage

BLOCKS: dict[str, type[Stage]] = {"tmsa": TMSAStage, "conv": ConvStage}
