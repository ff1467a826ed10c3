"""One luminance that explains the blurry frame and every bin of its spikes.

With the path known both are linear measurements of the picture Y at the reference instant:

    B   = mean_i  W_i Y             the frame: Y moved along the path, averaged
    L_k = D W_k Y                   bin k: Y moved, averaged over a spike pixel (D)

and Y is the least-squares answer, held near a start, found by conjugate gradients (Hestenes &
Stiefel, 1952). The spikes know no colours, but the path holds for them: by how much red and blue
are more than Y is found from the frames of this exposure and its neighbours. D and W_k change
places: the picture is averaged over a spike pixel around every place once, and then read where each
spike pixel stood.

Shape suffixes: N exposures, I instants of the frame, K bins, H and W frame pixels, h and w spike
pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from spikedeblur.prior.lattice import lattice, mean_at, read_at, row_by_row, scattered
from spikedeblur.prior.planes import resize
from spikedeblur.prior.trajectory import Trajectory, bin_times


@dataclass(frozen=True)
class Measurement:
    """What one exposure saw of the picture, and where.

    `frame` (N, 1, H, W), luminance, and `colours` (N, 2, H, W), by how much red and blue are more,
    added up at so many `instants`; `bins` (N, K, h, w) at their `times` (N, K); all of it light.
    `shown`: where the picture's points stood, `back`: from there to the points. The weights are one
    over the error expected, 0 where nothing is known.
    """

    frame: Tensor
    colours: Tensor
    bins: Tensor
    times: Tensor
    instants: int
    shown: Trajectory
    back: Trajectory
    frame_weight: Tensor
    bins_weight: Tensor


class Model(Protocol):
    """What solving needs of measurements of a picture."""

    def curved(self, way_NCHW: Tensor) -> Tensor:
        """Return the adjoint of what is seen of a picture: (N, C, H, W)."""

    def pulled(self, picture_NCHW: Tensor) -> Tensor:
        """Return the adjoint of what is left of the measurements: (N, C, H, W)."""


class FrameModel:
    """How a picture, of any number of channels, shows in frames, and the adjoint of that.

    The adjoint is nearly one: what a point was shown as is read where it was shown, as dense as if
    nothing were stretched. That is four times faster than to scatter it.
    """

    def __init__(self, views: Sequence[MeasurementGrids], measured: Sequence[Tensor]) -> None:
        self._views, self._measured = list(views), list(measured)
        first = measured[0]
        self._pixels = lattice(tuple(first.shape[-2:]), (1.0, 1.0), first.device, first.dtype)

    def seen(self, picture_NCHW: Tensor) -> list[Tensor]:
        """Return what is measured if the picture is true, over the errors expected."""
        pixels = self._pixels.averaged(picture_NCHW)
        return [mean_at(pixels, view.frame_grid) * view.frame_weight for view in self._views]

    def left(self, picture_NCHW: Tensor) -> list[Tensor]:
        """Return what was measured less what is seen."""
        pairs = zip(self._measured, self.seen(picture_NCHW), strict=True)
        return [known - seen for known, seen in pairs]

    def curved(self, way_NCHW: Tensor) -> Tensor:
        """Return the adjoint of what is seen of a picture: (N, C, H, W)."""
        return self.adjoint(self.seen(way_NCHW))

    def pulled(self, picture_NCHW: Tensor) -> Tensor:
        """Return the adjoint of what is left of the measurements: (N, C, H, W)."""
        return self.adjoint(self.left(picture_NCHW))

    def adjoint(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the adjoint of `seen`: (N, C, H, W)."""
        pixels = [
            mean_at(frame * view.frame_weight, view.shown_grid, "zeros")
            for view, frame in zip(self._views, parts, strict=True)
        ]
        return self._pixels.spread(sum(pixels[1:], pixels[0]))


class LinearModel(FrameModel):
    """How the luminance of a picture shows in frames and bins, and the adjoint of that."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        first = measurements[0]
        size, plane = first.frame.shape[-2:], first.bins.shape[-2:]
        cell = (size[0] / plane[0], size[1] / plane[1])
        self._cells = lattice(tuple(size), cell, first.frame.device, first.frame.dtype)
        views = [MeasurementGrids.of(each, self._cells.field) for each in measurements]
        frames = [each.frame * each.frame_weight for each in measurements]
        super().__init__(views, frames)
        self._bins = [each.bins * each.bins_weight for each in measurements]
        self._colours = [each.colours * each.frame_weight for each in measurements]

    def __add__(self, other: LinearModel) -> LinearModel:
        both = copy(self)
        for name in ("_views", "_measured", "_bins", "_colours"):
            setattr(both, name, getattr(self, name) + getattr(other, name))
        return both

    @property
    def colours(self) -> FrameModel:
        """How the colours of the picture show in the same frames."""
        return FrameModel(self._views, self._colours)

    def seen(self, picture_N1HW: Tensor) -> list[Tensor]:
        """Return what is measured: the frames, then the bins of each."""
        cells = self._cells.averaged(picture_N1HW)
        bins = [read_at(cells, view.bins_grid) * view.bins_weight for view in self._views]
        return super().seen(picture_N1HW) + bins

    def left(self, picture_N1HW: Tensor) -> list[Tensor]:
        """Return what was measured less what is seen."""
        pairs = zip(self._measured + self._bins, self.seen(picture_N1HW), strict=True)
        return [known - seen for known, seen in pairs]

    def adjoint(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the adjoint of `seen`: (N, 1, H, W)."""
        number = len(self._views)
        cells = self._cells.empty(len(parts[0]))
        for view, bins in zip(self._views, parts[number:], strict=True):
            cells += scattered(bins * view.bins_weight, view.bins_grid, cells)
        return super().adjoint(parts[:number]) + self._cells.spread(cells)

    def unexplained(self, picture_N1HW: Tensor) -> Tensor:
        """Return what the picture leaves of the first frame, and of its bins: (N, 2, H, W).

        Over the errors expected; of the bins the root mean square.
        """
        left, number = self.left(picture_N1HW), len(self._views)
        of_bins = left[number].square().mean(dim=1, keepdim=True).sqrt()
        size = (picture_N1HW.shape[-2], picture_N1HW.shape[-1])
        return torch.cat([left[0], resize(of_bins, size)], dim=1)


@dataclass(frozen=True)
class MeasurementGrids:
    """Where an exposure looks at the picture (`row_by_row`), and how much it counts."""

    shown_grid: Tensor
    frame_grid: Tensor
    bins_grid: Tensor
    frame_weight: Tensor
    bins_weight: Tensor

    @classmethod
    def of(cls, each: Measurement, field: Tensor) -> MeasurementGrids:
        """Lay out the grids. field: how much of the lattice of cells the frame's field takes."""
        size, plane = each.frame.shape[-2:], each.bins.shape[-2:]
        instants = bin_times(each.instants, each.frame)
        return cls(
            row_by_row(each.shown.grid(instants, size)),
            row_by_row(each.back.grid(instants, size)),
            row_by_row(each.back.grid(each.times, plane, field)),
            each.frame_weight,
            each.bins_weight,
        )


@dataclass(frozen=True)
class Estimate:
    """A picture, and how far it is from the best one: (N, C, H, W) each.

    `residue`: half the slope downwards of |measured - seen(Y)|^2 + |Y - start|^2 / hold^2.
    """

    picture: Tensor
    residue: Tensor

    @classmethod
    def begun(cls, start_NCHW: Tensor) -> Estimate:
        """Begin at the start, before anything is measured."""
        return cls(start_NCHW, torch.zeros_like(start_NCHW))

    def told(self, model: Model) -> Estimate:
        """Take further measurements into account."""
        return Estimate(self.picture, self.residue + model.pulled(self.picture))


def joint_solve(model: Model, estimate: Estimate, hold: float, rounds: int) -> Estimate:
    """Minimise |measured - seen(Y)|^2 + |Y - start|^2 / hold^2 by conjugate gradients.

    model: all measurements that the estimate was told. hold: how far, in light, the start is
    expected to be off.
    """
    picture, residue = estimate.picture, estimate.residue
    way, size = residue, dot(residue, residue)
    for _ in range(rounds):
        curved = model.curved(way) + way / hold**2
        # What holds the start curves by so much at least, also where the adjoint is only near one.
        least = dot(way, way) / hold**2
        length = size / torch.maximum(dot(way, curved), least).clamp(min=1e-30)
        picture, residue = picture + length * way, residue - length * curved
        now = dot(residue, residue)
        way, size = residue + now / size.clamp(min=1e-30) * way, now
    return Estimate(picture, residue)


def dot(one_NCHW: Tensor, other_NCHW: Tensor) -> Tensor:
    """Return the inner product of each pair of channels: (N, C, 1, 1)."""
    return (one_NCHW * other_NCHW).sum(dim=(2, 3), keepdim=True)
