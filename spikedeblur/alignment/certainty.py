"""How sure a refined state is: its errors, unless they are too large to go by."""

from __future__ import annotations

import math

import numpy as np

from spikedeblur.alignment.findings import Errors, Known, cannot_tell
from spikedeblur.alignment.footage import Footage
from spikedeblur.alignment.refinement import Refiner
from spikedeblur.alignment.state import DRIFT, EXPOSURE, FEWEST_FRAMES, TIME, State, Step
from spikedeblur.errors import LOGGER

LEAST_CONFIDENCE = 0.95
LEAST_CORRELATION = 0.6


def checked_errors(
    refiner: Refiner, state: State, step: Step, footage: Footage, known: Known, drift: bool
) -> Errors:
    """The errors of a state, by the step from it. drift: whether one was estimated.

    Raises `InputError` where too little was seen, or what was seen does not tell.
    """
    if step.frames == 0:
        raise cannot_tell(
            f"from fewer than {FEWEST_FRAMES} frames that both cameras saw whole",
            "record longer, or check --spike-size, --flip and --offset",
        )
    if not step.correlation >= LEAST_CORRELATION:  # nan, too
        raise cannot_tell(
            f"where frames and spikes show the same (correlation {step.correlation:.2f} at best)",
            "check --spike-size, --flip and --offset",
        )
    since = np.zeros((2, len(step.delta)))
    since[:, TIME] = 1
    since[:, DRIFT] = min(footage.since), max(footage.since)
    variances = np.diag(since @ step.covariance @ since.T)
    errors = Errors.of(
        math.sqrt(max(variances.max(), 0)),
        math.sqrt(max(step.covariance[EXPOSURE, EXPOSURE], 0)),
        refiner.place_error(state, step),
        known,
    )
    LOGGER.debug("%s, correlation %.5f", errors, step.correlation)
    if not step.informative or errors.confidence < LEAST_CONFIDENCE:
        raise errors.complaint(drift)
    return errors
