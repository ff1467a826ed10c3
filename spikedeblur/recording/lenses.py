"""Lenses that bend straight lines, and the maps between two planes that are seen through them.

The model is OpenCV's (Brown, 1966): from normalised coordinates x, y of a picture without
distortion, with r^2 = x^2 + y^2, to those with it,
x (1 + k1 r^2 + k2 r^4 + k3 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2), and likewise for y. Points are
those of `geometry`: the centre of the first pixel is (0.5, 0.5); a lens counts from (0, 0).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikedeblur.quantities import Lens

__all__ = [
    "UNSEEN",
    "CurvedMap",
    "LensMap",
    "Lenses",
    "Map",
    "Matrix",
    "backwards",
    "bent",
    "mapped",
    "straight",
    "straightened",
]

Coordinates = NDArray[np.floating[Any]]
Matrix = NDArray[np.floating[Any]]
Points = tuple[Coordinates, Coordinates, Coordinates]
"""x, y and depth of points, arrays of one shape; depth is above zero where a point is seen."""
Shown = tuple[Coordinates, Coordinates, NDArray[np.bool_]]
"""x and y of points, and whether the lens shows them at all."""

ROUNDS = 12  # of Newton's method
CLOSE = 1e-7  # of the focal length
NOTHING = 1e-12  # a coefficient that no calibration knows from none
UNSEEN = -1e6  # where points are put that no lens shows, pixels
BAND = 1 << 17  # points at once, which bounds memory


@dataclass(frozen=True)
class Lenses:
    """The lenses of both cameras; None for one without distortion."""

    video: Lens | None = None
    spikes: Lens | None = None

    @classmethod
    def of(cls, video: Lens | None, spikes: Lens | None) -> Lenses | None:
        """The two of them; None where neither bends anything."""
        bending = [lens if lens is not None and lens.bends else None for lens in (video, spikes)]
        return cls(*bending) if any(bending) else None

    def cropped(self, left: int, top: int) -> Lenses:
        """Of a part of the spike plane that begins there."""
        return replace(self, spikes=_moved(self.spikes, left, top))

    def in_region(self, left: int, top: int) -> Lenses:
        """Of a part of the frame that begins there."""
        return replace(self, video=_moved(self.video, left, top))


def _moved(lens: Lens | None, left: int, top: int) -> Lens | None:
    return None if lens is None else replace(lens, cx=lens.cx - left, cy=lens.cy - top)


class CurvedMap(ABC):
    """A map between two planes that no matrix is. It multiplies with matrices as a matrix does."""

    __array_ufunc__ = None  # so that `matrix @ map` comes to __rmatmul__

    @abstractmethod
    def __matmul__(self, matrix: Matrix) -> CurvedMap:
        """The map for points that the matrix maps first."""

    @abstractmethod
    def __call__(self, x: Coordinates, y: Coordinates) -> Points:
        """Points, arrays that broadcast, where they lie on the other plane."""

    @property
    @abstractmethod
    def straightened(self) -> Matrix:
        """The matrix that it is about."""


@dataclass(frozen=True)
class LensMap(CurvedMap):
    """A map between two planes: a matrix, one lens taken away, a matrix, one put on, a matrix."""

    entering: Matrix
    taken: Lens | None
    between: Matrix
    put_on: Lens | None
    leaving: Matrix

    def __matmul__(self, matrix: Matrix) -> LensMap:
        return replace(self, entering=self.entering @ matrix)

    def __rmatmul__(self, matrix: Matrix) -> LensMap:
        return replace(self, leaving=matrix @ self.leaving)

    def backwards(self) -> LensMap:
        """The way back."""
        entering, between, leaving = map(np.linalg.inv, (self.leaving, self.between, self.entering))
        return LensMap(entering, self.put_on, between, self.taken, leaving)

    @property
    def straightened(self) -> Matrix:
        """The map as it would be without the lenses, which is what it is in the middle of both."""
        matrix: Matrix = self.leaving @ self.between @ self.entering
        return matrix

    def __call__(self, x: Coordinates, y: Coordinates) -> Points:
        """Points, arrays that broadcast, where they lie on the other plane."""
        u, v, depth = _projected(self.entering, x, y)
        u, v, seen = straight(self.taken, u, v) if self.taken else (u, v, depth > 0)
        u, v, further = _projected(self.between, u, v)
        seen = seen & (depth > 0) & (further > 0)
        if self.put_on is not None:
            u, v, shown = bent(self.put_on, u, v)
            seen &= shown
        u, v, _ = _projected(self.leaving, u, v)
        return np.where(seen, u, UNSEEN), np.where(seen, v, UNSEEN), np.where(seen, 1.0, -1.0)


Map = Matrix | CurvedMap


def mapped(between: Map, x: Coordinates, y: Coordinates) -> Points:
    """Where points lie on the other plane. x, y: arrays that broadcast to (rows, columns)."""
    if not isinstance(between, CurvedMap):
        return _projected(between, x, y)
    rows, columns = np.broadcast_shapes(x.shape, y.shape)
    x, y = np.broadcast_to(x, (rows, columns)), np.broadcast_to(y, (rows, columns))
    step = max(1, BAND // max(columns, 1))
    bands = [between(x[top : top + step], y[top : top + step]) for top in range(0, rows, step)]
    u, v, depth = (np.concatenate(parts) for parts in zip(*bands, strict=True))
    return u, v, depth


def backwards(between: Map) -> Map:
    """The way back. Raises TypeError for a map that has none."""
    if not isinstance(between, CurvedMap):
        return np.linalg.inv(between)
    if not isinstance(between, LensMap):
        raise TypeError(f"no way back from a {type(between).__name__}")
    return between.backwards()


def straightened(between: Map) -> Matrix:
    """The matrix that a map is, or is about."""
    return between.straightened if isinstance(between, CurvedMap) else between


def _projected(matrix: Matrix, x: Coordinates, y: Coordinates) -> Points:
    across, down, depth = (row[0] * x + row[1] * y + row[2] for row in matrix)
    safe = np.where(depth > 0, depth, np.inf)
    return across / safe, down / safe, depth


def straight_part(lens: Lens) -> float:
    """The square of the radius, in focal lengths, up to which the lens keeps points in order."""
    slope = np.array([7 * lens.k3, 5 * lens.k2, 3 * lens.k1, 1.0])
    roots = np.roots(np.where(np.abs(slope) < NOTHING, 0, slope))
    turning = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)]
    return float(turning.min(initial=np.inf))


def bent(lens: Lens, x: Coordinates, y: Coordinates) -> Shown:
    """Points of the straight picture -> where the lens shows them, and whether it does."""
    a, b = (x - 0.5 - lens.cx) / lens.fx, (y - 0.5 - lens.cy) / lens.fy
    shown = a * a + b * b < straight_part(lens)
    a, b = np.where(shown, a, 0), np.where(shown, b, 0)
    with np.errstate(all="ignore"):  # a lens may be said that no glass is
        u, v, *_ = _distorted(lens, a, b)
        u, v = u * lens.fx + lens.cx + 0.5, v * lens.fy + lens.cy + 0.5
    return u, v, shown & (np.abs(u) < -UNSEEN) & (np.abs(v) < -UNSEEN)


def straight(lens: Lens, x: Coordinates, y: Coordinates) -> Shown:
    """Points of the lens's picture -> where they lie in the straight one, and whether they do."""
    u, v = (x - 0.5 - lens.cx) / lens.fx, (y - 0.5 - lens.cy) / lens.fy
    a, b = u.copy(), v.copy()
    with np.errstate(all="ignore"):  # points that the lens does not show run away
        for _ in range(ROUNDS):
            there, below, aa, ab, bb = _distorted(lens, a, b)
            left, lower = u - there, v - below
            if max(np.abs(left).max(initial=0), np.abs(lower).max(initial=0)) < CLOSE / 100:
                break
            determinant = aa * bb - ab * ab
            a = a + (bb * left - ab * lower) / determinant
            b = b + (aa * lower - ab * left) / determinant
        there, below, *_ = _distorted(lens, a, b)
        shown = (np.abs(u - there) < CLOSE) & (np.abs(v - below) < CLOSE)
        shown &= a * a + b * b < straight_part(lens)
    a, b = np.where(shown, a, 0), np.where(shown, b, 0)
    return a * lens.fx + lens.cx + 0.5, b * lens.fy + lens.cy + 0.5, shown


def _distorted(lens: Lens, a: Coordinates, b: Coordinates) -> tuple[Coordinates, ...]:
    """The lens on normalised points; with it the derivatives a by a, a by b = b by a, b by b."""
    squares, product = a * a + b * b, a * b
    radial = 1 + squares * (lens.k1 + squares * (lens.k2 + squares * lens.k3))
    growth = lens.k1 + squares * (2 * lens.k2 + 3 * squares * lens.k3)
    u = a * radial + 2 * lens.p1 * product + lens.p2 * (squares + 2 * a * a)
    v = b * radial + lens.p1 * (squares + 2 * b * b) + 2 * lens.p2 * product
    aa = radial + 2 * growth * a * a + 2 * lens.p1 * b + 6 * lens.p2 * a
    ab = 2 * growth * product + 2 * lens.p1 * a + 2 * lens.p2 * b
    bb = radial + 2 * growth * b * b + 6 * lens.p1 * b + 2 * lens.p2 * a
    return u, v, aa, ab, bb
