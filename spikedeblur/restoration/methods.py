"""The methods without weights, by name: for the command line, the benchmark and the restorers.

A new one is a function and a line in `METHODS`. Nothing heavy is imported before one is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spikedeblur.restoration.restorers import Restorer
    from spikedeblur.restoration.view import View

    Picture = NDArray[np.float32]


class Method(NamedTuple):
    """How a frame is restored, and what users are told of it.

    picture: (view of an exposed frame, instant in [-0.5, 0.5] of its exposure, part of the exposure
    to take rates over or None) -> (H, W, 3) float32, sRGB. summary: as --help has it, after the
    name. takes_window: whether NAME:FRACTION sets the part. needs_stream: whether it takes spikes
    one by one, not counts. by_mean: whether it is as light as the frame is on average,
    so that of a part all of the frame is read. restorer: (target times) -> what restores frames
    together with their neighbours; None where each is a picture by itself.
    """

    picture: Callable[[View, float, float | None], Picture]
    summary: str
    takes_window: bool = False
    needs_stream: bool = False
    by_mean: bool = False
    restorer: Callable[[Sequence[float]], Restorer] | None = None


def sdm(view: View, target: float, window: float | None) -> Picture:
    """Spike-modulated deblurring: the frame times rate over mean rate."""
    from spikedeblur import classical

    return classical.sdm(view.frame, view.counts, target, window)


def tfp(view: View, target: float, window: float | None) -> Picture:
    """Texture from playback: the rate of spikes, in grey."""
    from spikedeblur import classical

    return classical.tfp(view.frame, view.grey_counts, target, window)


def tfi(view: View, target: float, window: float | None) -> Picture:
    """Texture from intervals: one over the ticks between two spikes, in grey."""
    from spikedeblur import classical

    light = classical.spike_light(*view.exposed.spikes_around(target))
    return classical.grey_frame(view.on_frame(view.exposed.grey(light[None]))[0], view.frame)


def joint(view: View, target: float, window: float | None) -> Picture:
    """Joint inversion of a frame without neighbours."""
    from spikedeblur import classical

    return classical.joint(view.frame, view.counts, target)


def joint_restorer(target_times: Sequence[float]) -> Restorer:
    """Joint inversion of frames with the neighbours they have."""
    from spikedeblur.restoration.joint import JointRestorer

    return JointRestorer(target_times)


METHODS = {
    "joint": Method(
        joint,
        "solves for the picture that explains frame, spikes and both neighbours",
        restorer=joint_restorer,
    ),
    "sdm": Method(sdm, "sharpens the video by its spikes", takes_window=True),
    "tfp": Method(
        tfp, "shows the rate of the spikes alone, in grey", takes_window=True, by_mean=True
    ),
    "tfi": Method(
        tfi, "shows the intervals between spikes, in grey", needs_stream=True, by_mean=True
    ),
}
