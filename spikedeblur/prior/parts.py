"""Measurements of a large picture, looked at part by part, so that few grids are held at once.

Parts overlap by more than a point moves: each place is a matter of one part alone, and the picture
solved for is that of the whole.

Shape suffixes: N exposures, C channels, H and W frame pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import torch
from torch import Tensor

from spikedeblur.prior.solve import FrameModel, LinearModel, Measurement
from spikedeblur.prior.trajectory import Trajectory

MOST_AT_ONCE = 2048  # frame pixels that are looked at together, borders included
OVERLAP = 128  # frame pixels


@dataclass(frozen=True)
class Stretch:
    """Frame pixels from `start` to `stop` of an axis, of which `kept` are the result.

    ratio: frame pixels per spike pixel, which divides all of these.
    """

    start: int
    stop: int
    kept: slice
    ratio: int

    @property
    def pixels(self) -> slice:
        """Of the frame."""
        return slice(self.start, self.stop)

    @property
    def spike_pixels(self) -> slice:
        """Of the spike plane."""
        return slice(self.start // self.ratio, self.stop // self.ratio)

    @property
    def inner(self) -> slice:
        """What is kept, within the stretch."""
        return slice(self.kept.start - self.start, self.kept.stop - self.start)


def stretches(length: int, ratio: int) -> list[Stretch]:
    """Cut an axis of a frame into parts of equal length, as few as possible."""
    count = 1 if length <= MOST_AT_ONCE else -(-length // (MOST_AT_ONCE - 2 * OVERLAP))
    cuts = [round(part * length / count / ratio) * ratio for part in range(count)] + [length]
    border = -(-OVERLAP // ratio) * ratio
    return [
        Stretch(max(first - border, 0), min(stop + border, length), slice(first, stop), ratio)
        for first, stop in pairwise(cuts)
    ]


@dataclass(frozen=True)
class Part:
    """Rows and columns that are looked at together."""

    rows: Stretch
    columns: Stretch

    def of(self, planes: Tensor) -> Tensor:
        """Cut planes of the frame's size: (..., H, W)."""
        return planes[..., self.rows.pixels, self.columns.pixels]

    def of_spikes(self, planes: Tensor) -> Tensor:
        """Cut planes of the spikes' size: (..., h, w)."""
        return planes[..., self.rows.spike_pixels, self.columns.spike_pixels]

    def of_measurement(self, whole: Measurement) -> Measurement:
        """Cut a measurement."""
        return replace(
            whole,
            frame=self.of(whole.frame),
            colours=self.of(whole.colours),
            bins=self.of_spikes(whole.bins),
            shown=Trajectory(self.of_spikes(whole.shown.coefficients)),
            back=Trajectory(self.of_spikes(whole.back.coefficients)),
            frame_weight=self.of(whole.frame_weight),
            bins_weight=self.of_spikes(whole.bins_weight),
        )

    def put(self, planes: Tensor, whole: Tensor) -> None:
        """Write what is kept of the part's planes into the frame's."""
        kept = planes[..., self.rows.inner, self.columns.inner]
        whole[..., self.rows.kept, self.columns.kept] = kept


def parts(size: Sequence[int], plane: Sequence[int]) -> Iterator[Part]:
    """Cut a frame of `size` (H, W), with spikes on a `plane` (h, w), into parts.

    One part where a spike pixel is no whole number of frame pixels.
    """
    if any(pixels % cells for pixels, cells in zip(size, plane, strict=True)):
        yield Part(*(Stretch(0, length, slice(0, length), 1) for length in size))
        return
    axes = (stretches(length, length // cells) for length, cells in zip(size, plane, strict=True))
    yield from (Part(*both) for both in product(*axes))


class PartedModel:
    """As `LinearModel`, or the model of its colours, made anew for each part that is looked at."""

    def __init__(
        self, measured: Sequence[Measurement], cut: Sequence[Part], of_colours: bool = False
    ) -> None:
        self._measured, self._parts, self._of_colours = list(measured), cut, of_colours

    def __add__(self, other: PartedModel) -> PartedModel:
        return PartedModel(self._measured + other._measured, self._parts)

    @property
    def colours(self) -> PartedModel:
        """How the colours of the picture show in the same frames."""
        return PartedModel(self._measured, self._parts, of_colours=True)

    def curved(self, way_NCHW: Tensor) -> Tensor:
        """Return the adjoint of what is seen of a picture: (N, C, H, W)."""
        return self._by_parts(FrameModel.curved, way_NCHW)

    def pulled(self, picture_NCHW: Tensor) -> Tensor:
        """Return the adjoint of what is left of the measurements: (N, C, H, W)."""
        return self._by_parts(FrameModel.pulled, picture_NCHW)

    def unexplained(self, picture_NCHW: Tensor) -> Tensor:
        """As of `LinearModel`."""
        return self._by_parts(LinearModel.unexplained, picture_NCHW)

    def _by_parts(self, look: Callable[..., Tensor], picture_NCHW: Tensor) -> Tensor:
        whole: Tensor | None = None
        for part in self._parts:
            measured = LinearModel([part.of_measurement(each) for each in self._measured])
            model: FrameModel = measured.colours if self._of_colours else measured
            found = look(model, part.of(picture_NCHW))
            if whole is None:
                whole = torch.empty(*found.shape[:2], *picture_NCHW.shape[2:]).to(found)
            part.put(found, whole)
        assert whole is not None
        return whole


def model_of(measured: Sequence[Measurement]) -> LinearModel | PartedModel:
    """Return how a picture shows in measurements, in parts where it is large."""
    first = measured[0]
    cut = list(parts(first.frame.shape[-2:], first.bins.shape[-2:]))
    return LinearModel(measured) if len(cut) == 1 else PartedModel(measured, cut)
