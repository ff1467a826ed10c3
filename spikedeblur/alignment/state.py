"""An alignment as numbers: what is unknown of it, the steps towards it, and what they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikedeblur.quantities import Lens

GEOMETRY = 8
TIME, EXPOSURE, SOFTNESS, DRIFT = 8, 9, 10, 11
K1, K2, READOUT = 12, 13, 14
UNKNOWNS = 15
FEWEST_FRAMES = 3
# What is known beforehand, as spreads: half widths of the frame, frame intervals, spike samples^2,
# then of the lens, and frame intervals.
PRIOR = (*(1.0,) * 6, 0.05, 0.05, 3.0, 1.0, 1.0, 0.02, 0.3, 0.3, 0.5)
EXPOSURES = 0.05, 1.2  # the least and the most that is tried, in frame intervals
TINY = 2e-4  # half widths, frame intervals
LARGEST_STEPS = {"geometry": 0.06, "time": 0.25, "exposure": 0.15}


@dataclass(frozen=True)
class State:
    """An alignment. matrix: spike point -> video point; times in frame intervals.

    lag: offset, at the mean time of all frames. drift: by how much it grows in an interval.
    softness: variance, in spike samples squared, that the spikes' blur has more than the video's.
    radial: k1 and k2 of the video's lens, see `guessed_lens`. readout: from first row to last.
    """

    matrix: np.ndarray
    lag: float
    exposure: float
    drift: float = 0.0
    softness: float = 0.0
    radial: tuple[float, float] = (0.0, 0.0)
    readout: float = 0.0

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Return the places in the video, (2, P), of the points (3, P) of the spike plane."""
        mapped = self.matrix @ points
        places: np.ndarray = mapped[:2] / mapped[2]
        return places

    def moved(self, delta: np.ndarray, video_size: tuple[int, int]) -> State:
        """The state after a step of the unknowns."""
        half = video_size[0] / 2
        centre = np.array([[1 / half, 0, -1], [0, 1 / half, -video_size[1] / 2 / half], [0, 0, 1]])
        d = delta[:GEOMETRY]
        change = np.eye(3) + np.array([[d[1], d[2], d[0]], [d[4], d[5], d[3]], [d[6], d[7], 0]])
        matrix = np.linalg.inv(centre) @ change @ centre @ self.matrix
        return replace(
            self,
            matrix=matrix / matrix[2, 2],
            lag=self.lag + delta[TIME],
            exposure=float(np.clip(self.exposure + delta[EXPOSURE], *EXPOSURES)),
            drift=self.drift + delta[DRIFT],
            softness=self.softness + delta[SOFTNESS],
            radial=(self.radial[0] + float(delta[K1]), self.radial[1] + float(delta[K2])),
            readout=self.readout + float(delta[READOUT]),
        )


@dataclass(frozen=True)
class Step:
    """A Gauss-Newton step from a state, with its covariance.

    delta, covariance: (15,), (15, 15), zero where nothing is unknown. correlation: of frames and
    spikes. frames: how many were seen by both.
    """

    delta: np.ndarray
    covariance: np.ndarray
    correlation: float
    frames: int
    informative: bool

    @property
    def tiny(self) -> bool:
        """Return whether it is not worth taking."""
        moves = np.abs(self.delta[[*range(GEOMETRY), TIME, EXPOSURE]])
        return bool(moves.max() < TINY)

    @classmethod
    def none(cls) -> Step:
        """Return the step for a state in which nothing can be compared."""
        return cls(np.zeros(UNKNOWNS), np.zeros((UNKNOWNS, UNKNOWNS)), 0.0, 0, False)

    @classmethod
    def solved(
        cls,
        free: Sequence[int],
        information: np.ndarray,
        tiles: np.ndarray,
        noise: float,
        correlation: float,
        frames: int,
    ) -> Step:
        """From normal equations of the `free` unknowns, (n, n), and their scores by tile, (T, n).

        The scatter of the scores over the picture is what the covariance comes from: neighbours
        err alike. noise: of one independent sample, against which the priors are weighed.
        """
        prior = np.array(PRIOR)[free]
        held = np.diag((noise / prior) ** 2)
        values = np.linalg.eigvalsh(information * np.outer(prior, prior))
        inverse = np.linalg.inv(information + held + 1e-9 * np.eye(len(prior)))
        used = tiles[(tiles != 0).any(axis=1)]
        few = len(used) / max(len(used) - len(prior), 1)
        covariance = np.zeros((UNKNOWNS, UNKNOWNS))
        covariance[np.ix_(free, free)] = few * inverse @ (used.T @ used) @ inverse.T
        delta = np.zeros(UNKNOWNS)
        delta[free] = inverse @ tiles.sum(axis=0)
        return cls(delta, covariance, correlation, frames, bool(values.min() > 0))


def guessed_lens(radial: tuple[float, float], video_size: tuple[int, int]) -> Lens | None:
    """A lens of which only k1 and k2 are known: as wide as the frame, its middle in the middle."""
    if not any(radial):
        return None
    width, height = video_size
    return Lens(width, width, (width - 1) / 2, (height - 1) / 2, *radial)


def radial_basis(where: np.ndarray, video_size: tuple[int, int]) -> np.ndarray:
    """Video pixels (2, P, 2) that k1 and k2 of `guessed_lens` move the points (2, P) by."""
    width = video_size[0]
    x, y = ((place - side / 2) / width for place, side in zip(where, video_size, strict=True))
    squares = x * x + y * y
    powers = np.stack([squares, squares**2], axis=-1)
    basis: np.ndarray = width * np.stack([x[:, None] * powers, y[:, None] * powers])
    return basis


def displacement_basis(where: np.ndarray, video_size: tuple[int, int]) -> np.ndarray:
    """Video pixels (2, P, 8) that each number of the homography moves the points (2, P) by."""
    half = video_size[0] / 2
    u, v = ((place - side / 2) / half for place, side in zip(where, video_size, strict=True))
    one, none = np.ones_like(u), np.zeros_like(u)
    across = np.stack([one, u, v, none, none, none, -u * u, -u * v], axis=-1)
    down = np.stack([none, none, none, one, u, v, -u * v, -v * v], axis=-1)
    basis: np.ndarray = half * np.stack([across, down])
    return basis


def bounded(delta: np.ndarray) -> np.ndarray:
    """A step, shortened to what a linear model may be believed over."""
    largest = {
        "geometry": np.abs(delta[:GEOMETRY]).max(),
        "time": abs(delta[TIME]),
        "exposure": abs(delta[EXPOSURE]),
    }
    shorter: np.ndarray = delta * min(
        1.0, *(most / max(largest[name], 1e-9) for name, most in LARGEST_STEPS.items())
    )
    return shorter
