"""Whether a rig has a lens that bends, or a shutter that rolls: asked of a state without either."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from spikedeblur.alignment.refinement import Refiner
from spikedeblur.alignment.state import K1, K2, READOUT, State, radial_basis

SIGMAS = 5.0  # of what a step is known to, below which it is nothing
LEAST_READOUT = 0.02  # frame intervals
LEAST_BEND = 0.15  # video pixels, root mean square over the frame
NAMES = {K1: "a lens", READOUT: "a rolling shutter"}


def faults_seen(refiner: Refiner, state: State) -> set[int]:
    """Which unknowns of `K1`, `K2` and `READOUT` the step of a refiner that has them asks for."""
    if not {K1, READOUT} & set(refiner.free):
        return set()
    found: set[int] = set()
    step = refiner.step(state)
    if step.frames == 0:
        return found
    error = float(np.sqrt(max(step.covariance[READOUT, READOUT], 0)))
    readout = abs(float(step.delta[READOUT]))
    if readout > max(SIGMAS * error, LEAST_READOUT):
        found.add(READOUT)
    bend, known_to = step.delta[[K1, K2]], step.covariance[np.ix_([K1, K2], [K1, K2])]
    if K1 in refiner.free and bend @ np.linalg.pinv(known_to) @ bend > SIGMAS**2:
        places = np.indices((9, 9)).reshape(2, -1) / 8 * np.array(refiner.video_size)[:, None]
        moved = radial_basis(places, refiner.video_size) @ bend
        if np.sqrt((moved**2).sum(axis=0).mean()) > LEAST_BEND:
            found |= {K1, K2}
    return found


def in_words(faults: Iterable[int]) -> str:
    """Name them."""
    return " and ".join(NAMES[each] for each in sorted(faults) if each in NAMES)
