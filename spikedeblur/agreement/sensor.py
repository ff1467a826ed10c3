"""Spikes that cannot be light: a recording without any, or parts of a sensor that do not follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikedeblur.agreement.finding import Finding
from spikedeblur.agreement.glimpses import Glimpse
from spikedeblur.agreement.grid import Plane, SampleGrid

ALWAYS = 0.98  # spikes a tick, from where a pixel cannot tell more light from less
DIM = 0.5  # of the spikes a tick that a pixel fires at always: so much less light is no reason to
SURE = 8.0  # spikes that a pixel should have had, if it had none
DARK_LIGHT = 0.02  # linear light
MOSTLY = 0.5
COMPACT = 0.5  # part of a box that is filled, from which on it is reported
WORTH_SAYING, MANY = 0.005, 0.1  # parts of the pixels: dead or hot ones; saturated ones


def dead_recording(views: Sequence[Glimpse]) -> Finding | None:
    """That all spikes looked at are zero, or all are one; None else."""
    fired = sum(float(view.knots.fired.sum()) for view in views)
    ticks = sum(view.knots.ticks * view.knots.fired.size for view in views)
    if not ticks:
        return None
    if fired == 0:
        return Finding(
            "spikes_all_zero",
            f"the spikes are all zero, in {len(views)} exposures spread over the video - check the "
            "lens cap and the file (spikedeblur info)",
            {"spikes_per_tick": 0.0},
        )
    if fired == ticks and views[0].knots.ticks > 1:
        return Finding(
            "spikes_all_one",
            f"the spikes are all one, in {len(views)} exposures spread over the video - check the "
            "file (spikedeblur info), or give the camera less light",
            {"spikes_per_tick": 1.0},
        )
    return None


@dataclass(frozen=True)
class OddPixels:
    """Pixels that do not follow the light: (Hs, Ws) bool each, and how many the frames see at all.

    dead: never fire where the frames show light. hot: fire at every tick where they are dim.
    saturated: fire at every tick, and it may be bright there.
    """

    dead: NDArray[np.bool_]
    hot: NDArray[np.bool_]
    saturated: NDArray[np.bool_]
    seen: int

    def findings(self) -> Iterator[Finding]:
        """Return the findings worth reporting."""
        blind = "nothing is restored there"
        less = "give the spike camera less light: a smaller aperture, or a filter"
        for name, mask, least, what, remedy in (
            ("dead", self.dead, WORTH_SAYING, "never fire where the frames show light", blind),
            ("hot", self.hot, WORTH_SAYING, "fire at every tick where the frames are dim", blind),
            ("saturated", self.saturated, MANY, "fire at every tick", less),
        ):
            part = float(mask.sum()) / max(self.seen, 1)
            if part >= least:
                text = f"{100 * part:.1f} % of the spike pixels {what} ({name}{_where(mask)})"
                yield Finding(
                    f"spikes_{name}", f"{text} - {remedy}", {f"{name}_share": round(part, 4)}
                )

    def trusted(self, grid: SampleGrid) -> Plane | None:
        """1 on the grid where pixels follow the light, else 0; None if all do."""
        odd = self.dead | self.hot | self.saturated
        if not odd.any():
            return None
        return (grid.laid(grid.reduced(odd)) < MOSTLY).astype(np.float32)


def trusted_views(
    views: Sequence[Glimpse], grid: SampleGrid
) -> tuple[list[Glimpse], OddPixels | None, Plane | None]:
    """Views compared where pixels follow the light; which do not; and the former on the grid."""
    odd = odd_pixels(views, grid)
    trusted = None if odd is None else odd.trusted(grid)
    if trusted is None:
        return list(views), odd, None
    return [view.where(trusted) for view in views], odd, trusted


def odd_pixels(views: Sequence[Glimpse], grid: SampleGrid) -> OddPixels | None:
    """Those that no view explains by its light; None where they cannot be found."""
    if not views or views[0].knots.ticks <= 1:  # voxel grids have been counted already
        return None
    shares = [view.knots.fired / view.knots.ticks for view in views]
    lights = [grid.on_spikes(view.look.light) for view in views]
    clear = [grid.on_spikes(view.look.clear) for view in views]
    share, light, seen = (np.mean(each, axis=0) for each in (shares, lights, clear))
    inside = seen > MOSTLY
    useful = inside & (share > 0) & (share < ALWAYS) & (light > DARK_LIGHT)
    if not useful.any():
        return None
    expected = light * float(np.median(share[useful] / light[useful]))
    ticks = sum(view.knots.ticks for view in views)
    always = inside & (share >= ALWAYS)
    hot = always & (expected < DIM)
    dead = inside & (share == 0) & (expected * ticks > SURE)
    return OddPixels(dead, hot, always & ~hot, int(inside.sum()))


def _where(mask: NDArray[np.bool_]) -> str:
    """The box that a mask fills, in words; empty where it is scattered."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
    box = mask[top : bottom + 1, left : right + 1]
    if box.mean() < COMPACT:
        return ""
    return f", {right - left + 1}x{bottom - top + 1} pixels at {left},{top}"
