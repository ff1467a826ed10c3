"""What is said of a rig from Python: keywords, then the sidecar, then what all its clips share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from spikedeblur.errors import CallError, shown
from spikedeblur.io.spikes.settings import KEYS, RecordingSettings, merged
from spikedeblur.io.spikes.sidecar import find_sidecar, flattened, read_sidecar
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.voxels import is_voxel_file
from spikedeblur.quantities import Exposure, RateLike, TimeLike

__all__ = ["RigKeywords", "RigLike", "recording_settings", "rig_settings"]

RigLike = RecordingSettings | Mapping[str, Any] | str | Path
"""What the clips of a rig share: settings, a mapping of sidecar keys, or a TOML file of them."""


class RigKeywords(TypedDict, total=False):
    """Keywords of every function that reads spikes; each beats the sidecar.

    rate_hz: ticks per second. spike_size: (width, height) or WxH. flip: rows are stored bottom-up.
    offset_s: time of tick 0 on the video's clock. exposure: shutter time of a frame, seconds, 0.5x
    or 180deg. homography: spike pixel -> video pixel, nine numbers. transfer: the video's curve by
    name, or pairs of code and light. rig: what else is known, below the sidecar.
    """

    rate_hz: RateLike | None
    spike_size: tuple[int, int] | str | None
    flip: bool | None
    offset_s: TimeLike | None
    exposure: Exposure | TimeLike | None
    homography: Sequence[float] | NDArray[Any] | str | None
    transfer: str | Sequence[Sequence[float]] | None
    rig: RigLike | None


def recording_settings(spikes: object, keywords: RigKeywords) -> RecordingSettings:
    """All that is said of a recording: keywords, then the spikes' own sidecar, then the rig."""
    given = RecordingSettings(
        size=keywords.get("spike_size"),
        rate_hz=keywords.get("rate_hz"),
        flip=keywords.get("flip"),
        offset_s=keywords.get("offset_s"),
        exposure=keywords.get("exposure"),
        homography=keywords.get("homography"),
        transfer=keywords.get("transfer"),
    )
    own = None
    if isinstance(spikes, SpikeStream):
        own = spikes.settings
    elif isinstance(spikes, str | Path) and not is_voxel_file(Path(spikes)):
        own = find_sidecar(spikes)
    rig = keywords.get("rig")
    shared = None if rig is None else rig_settings(rig)
    return merged(("option", given), ("sidecar", own), ("rig", shared))


def rig_settings(rig: RigLike) -> RecordingSettings:
    """The settings of a rig. Raises `CallError` for a key that sidecars have not."""
    if isinstance(rig, RecordingSettings):
        return rig
    if isinstance(rig, str | Path):
        return read_sidecar(rig)
    known = {**{key: each.name for key, each in KEYS.items()}, "exposure": "exposure"}
    known["size"] = "size"
    rig = flattened(rig)
    for key in rig:
        if key not in known:
            near = get_close_matches(str(key), known, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(KEYS)}"
            raise CallError(f"unknown key of a rig ({shown(key)} seen) - {advice}")
    given: dict[str, Any] = {known[key]: _plain(value) for key, value in rig.items()}
    return RecordingSettings(**given)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
