"""A scene: textured planes in front of each other, each with its motion, seen at an instant."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from spikedeblur.simulation.motion import PlaneMotion, slide

GROUND_PARALLAX = 1 / 3  # of that of the objects: how near the ground is


@dataclass(frozen=True)
class Layer:
    """A texture on a moving plane.

    `texture` is (3, h, w) light for the ground, which is mirrored beyond its edges and so covers
    every view, or (4, h, w) light times alpha, and alpha, for an object.
    `corner` is the plane coordinate of its upper left corner, `density` its pixels per plane pixel.
    """

    texture: torch.Tensor
    corner: tuple[float, float]
    density: float
    motion: PlaneMotion

    @property
    def is_object(self) -> bool:
        """Return whether the layer has an outline."""
        return self.texture.shape[0] == 4

    def reached(self, times: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Rows and columns (top, bottom, left, right) of the frame that it touches at `times`."""
        height, width = size
        if not self.is_object:
            return 0, height, 0, width
        (left, top), (rows, columns) = self.corner, self.texture.shape[1:]
        right, bottom = left + columns / self.density, top + rows / self.density
        corners = np.array([[left, right, left, right], [top, top, bottom, bottom], [1, 1, 1, 1]])
        seen = np.linalg.inv(self.motion.matrices(times)) @ corners
        points = seen[:, :2] / seen[:, 2:] + np.array([[width], [height]]) / 2
        low, high = np.floor(points.min(axis=(0, 2))), np.ceil(points.max(axis=(0, 2)))
        (x0, x1), (y0, y1) = (
            np.clip([low[axis], high[axis]], 0, limit).astype(int).tolist()
            for axis, limit in ((0, width), (1, height))
        )
        return y0, y1, x0, x1

    def sampled(
        self, times: np.ndarray, size: tuple[int, int], part: tuple[int, int, int, int]
    ) -> torch.Tensor:
        """The texture as it stands at `times` in the `part` of the frame: (N, C, h, w)."""
        top, bottom, left, right = part
        grid = self._grid(times, size, part)
        # One tall picture for all instants: grid_sample then needs no copies of the texture.
        tall = grid.view(1, len(times) * (bottom - top), right - left, 2)
        mode = "zeros" if self.is_object else "reflection"
        seen = F.grid_sample(self.texture[None], tall, padding_mode=mode, align_corners=False)
        channels = self.texture.shape[0]
        return seen.view(channels, len(times), bottom - top, right - left).transpose(0, 1)

    def _grid(
        self, times: np.ndarray, size: tuple[int, int], part: tuple[int, int, int, int]
    ) -> torch.Tensor:
        """Sampling positions (N, h, w, 2) for grid_sample, -1 and 1 being the texture's edges."""
        (height, width), (top, bottom, left, right) = size, part
        rows, columns = self.texture.shape[1:]
        scale_x, scale_y = 2 * self.density / columns, 2 * self.density / rows
        to_texture = np.array(
            [
                [scale_x, 0, -1 - scale_x * self.corner[0]],
                [0, scale_y, -1 - scale_y * self.corner[1]],
                [0, 0, 1],
            ]
        )
        matrices = torch.from_numpy(to_texture @ self.motion.matrices(times))
        x = torch.arange(left, right, dtype=torch.float64) + (0.5 - width / 2)
        y = torch.arange(top, bottom, dtype=torch.float64) + (0.5 - height / 2)
        along_x = (matrices[:, :, :1] * x).float()[:, :, None, :]
        along_y = (matrices[:, :, 1:2] * y + matrices[:, :, 2:]).float()[:, :, :, None]
        grid = torch.empty(len(times), bottom - top, right - left, 2)
        for axis in range(2):
            torch.add(along_x[:, axis], along_y[:, axis], out=grid[..., axis])
        if bool((matrices[:, 2, :2] != 0).any()):
            grid /= (along_x[:, 2] + along_y[:, 2])[..., None]
        return grid


@dataclass(frozen=True)
class Scene:
    """Layers from back to front, seen by a camera with frames of `size` (H, W)."""

    layers: tuple[Layer, ...]
    size: tuple[int, int]

    @torch.no_grad()
    def render(self, times: np.ndarray) -> torch.Tensor:
        """The light that falls on the frame at each of `times` (N,): (N, 3, H, W) float32."""
        frames = torch.zeros(len(times), 3, *self.size)
        for layer in self.layers:
            part = top, bottom, left, right = layer.reached(times, self.size)
            if top >= bottom or left >= right:
                continue
            seen = layer.sampled(times, self.size, part)
            if layer.is_object:
                behind = frames[:, :, top:bottom, left:right]
                behind.mul_(1 - seen[:, 3:]).add_(seen[:, :3])
            else:
                frames = seen
        return frames

    def from_beside(self, parallax: float) -> Scene:
        """The scene as a camera beside this one sees it: objects `parallax` px further right.

        The ground, which is farther away, is displaced by a third of it.
        """
        shares = (1.0 if layer.is_object else GROUND_PARALLAX for layer in self.layers)
        layers = (
            replace(layer, motion=replace(layer.motion, beside=(parallax * share, 0.0)))
            for layer, share in zip(self.layers, shares, strict=True)
        )
        return replace(self, layers=tuple(layers))

    def slide(self, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
        """The longest way (F,) that anything in sight moves from `starts` (F,) to `stops`, px."""
        longest = np.zeros(len(starts))
        for layer in self.layers:
            middle = layer.motion.middle
            part = layer.reached(np.array([starts[0], middle, stops[-1]]), self.size)
            points = frame_points(self.size, part)
            longest = np.maximum(longest, slide(layer.motion, starts, stops, points).max(axis=1))
        return longest


def frame_points(
    size: tuple[int, int], part: tuple[int, int, int, int] | None = None
) -> np.ndarray:
    """Corners and centre (5, 2) of the frame, or of a `part` of it, in frame coordinates."""
    height, width = size
    top, bottom, left, right = part or (0, height, 0, width)
    points = np.array(
        [
            [left, top],
            [right, top],
            [left, bottom],
            [right, bottom],
            [(left + right) / 2, (top + bottom) / 2],
        ],
        dtype=np.float64,
    )
    return points - np.array([width, height]) / 2
