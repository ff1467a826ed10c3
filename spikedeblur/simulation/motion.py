"""Motion of planes before the camera: smooth random paths in continuous time.

Time is counted in frame intervals; frame f is exposed around f + 0.5. Frame coordinates are
pixels from the frame's centre; plane coordinates are pixels of the plane at rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

# Parts of a path, all in pixels at `reach` from the centre, so that their sizes compare.
SHIFT_X, SHIFT_Y, ROTATION, ZOOM, TILT_X, TILT_Y = range(6)
MOST_ZOOM = 0.35
MOST_TILT = 0.2
PATH_STEPS = 64


@dataclass(frozen=True)
class PlaneMotion:
    """A steady drift plus a few sinusoids in each of the six parts of a planar motion.

    `drift` (6,) is pixels per frame interval, `amplitudes` (S, 6) pixels, `frequencies` (S,)
    cycles per frame interval. `anchor` is where the plane's origin stands in the frame at time
    `middle`; `camera` says that the camera moves (turning about the frame's centre) and not the
    plane (turning about its own). `beside`: pixels by which it is seen further right and down, as
    by a camera that stands beside.
    """

    drift: np.ndarray
    amplitudes: np.ndarray
    frequencies: np.ndarray
    phases: np.ndarray
    reach: float
    middle: float
    anchor: tuple[float, float] = (0.0, 0.0)
    camera: bool = True
    beside: tuple[float, float] = (0.0, 0.0)

    def parts(self, times: np.ndarray) -> np.ndarray:
        """The six parts (N, 6) at `times` (N,), in pixels at `reach`."""
        angles = 2 * np.pi * self.frequencies[:, None] * (times[:, None, None] - self.middle)
        swing = (self.amplitudes * np.sin(angles + self.phases)).sum(axis=1)
        return self.drift * (times[:, None] - self.middle) + swing

    def matrices(self, times: np.ndarray) -> np.ndarray:
        """Homographies (N, 3, 3) from frame coordinates to plane coordinates at `times` (N,)."""
        parts = self.parts(np.asarray(times, dtype=np.float64))
        angle, zoom = parts[:, ROTATION] / self.reach, np.exp(parts[:, ZOOM] / self.reach)
        turn = np.zeros((len(parts), 3, 3))
        turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle) * zoom
        turn[:, 1, 0] = np.sin(angle) * zoom
        turn[:, 0, 1] = -turn[:, 1, 0]
        turn[:, 2, :2] = parts[:, [TILT_X, TILT_Y]] / self.reach**2
        turn[:, 2, 2] = 1
        shift = np.tile(np.eye(3), (len(parts), 1, 1))
        if self.camera:
            shift[:, :2, 2] = parts[:, [SHIFT_X, SHIFT_Y]] - np.array(self.anchor)
            return shift @ turn @ self._from_beside
        shift[:, :2, 2] = -parts[:, [SHIFT_X, SHIFT_Y]] - np.array(self.anchor)
        return turn @ shift @ self._from_beside

    @property
    def _from_beside(self) -> np.ndarray:
        there = np.eye(3)
        there[:2, 2] = [-distance for distance in self.beside]
        return there

    def scaled(self, factor: float) -> PlaneMotion:
        """The same path, `factor` times as long."""
        return replace(self, drift=self.drift * factor, amplitudes=self.amplitudes * factor)

    def restrained(self) -> PlaneMotion:
        """The same path with zoom and tilt swings held to what keeps the plane before the camera.

        Neither drifts, so the sum of their amplitudes bounds them at every time.
        """
        amplitudes = self.amplitudes.copy()
        swing = np.abs(amplitudes).sum(axis=0) / self.reach
        for part, most in ((ZOOM, MOST_ZOOM), (TILT_X, MOST_TILT), (TILT_Y, MOST_TILT)):
            amplitudes[:, part] *= min(1.0, most / max(swing[part], 1e-9))
        return replace(self, amplitudes=amplitudes)


def slide(
    motion: PlaneMotion, starts: np.ndarray, stops: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Return how far (F, P) the plane slides past `points` (P, 2) from `starts` to `stops` (F,)."""
    fractions = np.linspace(0, 1, PATH_STEPS + 1)
    times = starts[:, None] + (stops - starts)[:, None] * fractions
    matrices = motion.matrices(times.ravel())
    seen = matrices @ np.concatenate([points.T, np.ones((1, len(points)))])
    path = (seen[:, :2] / seen[:, 2:]).reshape(len(starts), PATH_STEPS + 1, 2, len(points))
    return np.linalg.norm(np.diff(path, axis=1), axis=2).sum(axis=1)


def random_motion(
    rng: np.random.Generator,
    *,
    blur_px: float,
    reach: float,
    starts: np.ndarray,
    stops: np.ndarray,
    points: np.ndarray,
    anchor: tuple[float, float] = (0.0, 0.0),
    camera: bool = True,
) -> PlaneMotion:
    """A path that slides `blur_px` pixels past `points` in an exposure, on average.

    From a steady pan to a hand's shake, which bends within an exposure: shake is a handful of
    sinusoids from a tenth of a cycle per frame to two cycles per exposure, slower ones larger.
    """
    pan = rng.choice([0.0, 0.3, 1.0, 4.0], p=[0.25, 0.25, 0.25, 0.25])
    exposure = float(np.mean(stops - starts))
    count = int(rng.integers(3, 7))
    frequencies = np.exp(rng.uniform(np.log(0.1), np.log(rng.uniform(0.4, 2) / exposure), count))
    weights = np.array(
        [1, 1, rng.choice([0, 0.3, 1]), rng.choice([0, 0.5]), *rng.choice([0, 0.15], 2)]
    )
    speeds = rng.standard_normal((count, 6)) * weights
    amplitudes = speeds * frequencies[:, None] ** -rng.uniform(0.8, 1.6) / (2 * np.pi)
    direction = rng.uniform(0, 2 * np.pi)
    drift = np.zeros(6)
    drift[:2] = pan * np.array([np.cos(direction), np.sin(direction)])
    drift[ROTATION] = pan * weights[ROTATION] * rng.normal(0, 0.4)
    motion = PlaneMotion(
        drift,
        amplitudes,
        frequencies,
        rng.uniform(0, 2 * np.pi, (count, 6)),
        reach,
        float(starts[0] + stops[-1]) / 2,
        anchor,
        camera,
    )
    if blur_px == 0:
        return motion.scaled(0.0)
    # Tilt is not linear in its size, so a gentle path is measured and then stretched.
    motion = motion.scaled(1e-3)
    return motion.scaled(blur_px / slide(motion, starts, stops, points).mean()).restrained()
