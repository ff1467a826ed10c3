"""Sharp video as a view in continuous time: motion-compensated between its frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from spikedeblur.recording.light import srgb_to_linear
from spikedeblur.simulation.camera import area_weights

PYRAMID_LEVELS = 5
FLOW_STEPS = 4
FLOW_WINDOW = 11
# Keeps the flow of windows without texture at what the coarser level found.
FLOW_DAMPING = 1e-4


def warp_by_flow(picture: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """`picture` (N, C, H, W) read at each pixel plus `flow` (N, 2, H, W), x before y, in pixels."""
    height, width = picture.shape[-2:]
    x = (torch.arange(width) + 0.5 + flow[:, 0]) * (2 / width) - 1
    y = (torch.arange(height)[:, None] + 0.5 + flow[:, 1]) * (2 / height) - 1
    return F.grid_sample(
        picture, torch.stack([x, y], dim=-1), padding_mode="border", align_corners=False
    )


def box(picture: torch.Tensor) -> torch.Tensor:
    """Mean of (N, C, H, W) over a square window, smaller at the border."""
    return F.avg_pool2d(picture, FLOW_WINDOW, 1, FLOW_WINDOW // 2, count_include_pad=False)


def refined(flow: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """One Lucas-Kanade step: `flow` (1, 2, H, W) made to fit `first` to `second` (1, 1, H, W)."""
    moved = warp_by_flow(second, flow)
    across = F.pad(moved, (1, 1, 0, 0), mode="replicate")
    down = F.pad(moved, (0, 0, 1, 1), mode="replicate")
    slope_x = (across[..., 2:] - across[..., :-2]) / 2
    slope_y = (down[:, :, 2:] - down[:, :, :-2]) / 2
    change = first - moved
    products = torch.cat(
        [
            slope_x * slope_x,
            slope_x * slope_y,
            slope_y * slope_y,
            slope_x * change,
            slope_y * change,
        ],
        dim=1,
    )
    xx, xy, yy, xt, yt = box(products).unbind(1)
    xx, yy = xx + FLOW_DAMPING, yy + FLOW_DAMPING
    determinant = xx * yy - xy * xy
    step = torch.stack([yy * xt - xy * yt, xx * yt - xy * xt], dim=1) / determinant[:, None]
    return box(flow + step.clamp(-2, 2))


def motion_between(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Find each pixel of `first` (1, 1, H, W) in `second`: (1, 2, H, W) pixels, x before y.

    Lucas-Kanade in windows, from coarse to fine (Bouguet, Pyramidal implementation, 2001).
    """
    levels = [(first, second)]
    while len(levels) < PYRAMID_LEVELS and min(levels[-1][0].shape[-2:]) >= 2 * FLOW_WINDOW:
        finer = levels[-1]
        levels.append((F.avg_pool2d(finer[0], 2), F.avg_pool2d(finer[1], 2)))
    flow = torch.zeros(1, 2, *levels[-1][0].shape[-2:])
    for one, other in reversed(levels):
        height, width = one.shape[-2:]
        growth = torch.tensor([width / flow.shape[3], height / flow.shape[2]])[None, :, None, None]
        flow = F.interpolate(flow, (height, width), mode="bilinear", align_corners=False) * growth
        for _ in range(FLOW_STEPS):
            flow = refined(flow, one, other)
    return flow


@dataclass(frozen=True)
class SourcePair:
    """Two successive source frames (3, H, W) as light, and the motion (2, H, W) between them."""

    first: torch.Tensor
    second: torch.Tensor
    flow: torch.Tensor

    @classmethod
    def between(cls, first: torch.Tensor, second: torch.Tensor) -> SourcePair:
        """Estimate the motion on pictures as bright as the eye sees them."""
        grey = [frame.mean(dim=0)[None, None].sqrt() for frame in (first, second)]
        return cls(first, second, motion_between(*grey)[0])

    def at(self, share: float) -> torch.Tensor:
        """The view (3, H, W) when `share` of the interval has passed.

        Both frames are carried along the motion and mixed, so that it is either at its end.
        """
        flow = self.flow[None]
        before = warp_by_flow(self.first[None], -share * flow)
        after = warp_by_flow(self.second[None], (1 - share) * flow)
        return torch.lerp(before, after, share)[0]


class InterpolatedVideo:
    """The view of sharp `frames`, `per_interval` of which pass in a frame interval of the camera.

    Frames are (h, w, 3) uint8, cut to the shape of `size` (H, W) about their middle and reduced to
    it. Read once and forwards: only the frames of the camera's present frame are held.
    With `gamma_space`, light stays sRGB-encoded (see `Tone`).
    """

    def __init__(
        self,
        frames: Iterator[np.ndarray],
        per_interval: float,
        size: tuple[int, int],
        gamma_space: bool = False,
    ) -> None:
        self.size = size
        self._frames, self._per_interval, self._gamma_space = frames, per_interval, gamma_space
        self._held: dict[int, torch.Tensor] = {}
        self._motion: dict[int, SourcePair] = {}
        self._read = 0

    def frame_numbers(self, limit: int | None) -> Iterator[int]:
        """The camera's frames, as many as the footage lasts for but at most `limit`.

        Views before the frame yielded last cannot be asked for any more.
        """
        number = 0
        while (limit is None or number < limit) and self._lasts(number + 1):
            first = int(np.floor(number * self._per_interval))
            self._motion = {at: held for at, held in self._motion.items() if at >= first}
            self._held = {at: held for at, held in self._held.items() if at >= first}
            yield number
            number += 1

    def _lasts(self, time: float) -> bool:
        """Return whether there are source frames until `time`; the last one fills its interval."""
        last = int(np.ceil(time * self._per_interval)) - 1
        self._frame(last)
        return last < self._read

    def _frame(self, number: int) -> torch.Tensor:
        """Source frame `number`; the last one again where the footage has ended."""
        while number >= self._read:
            frame = next(self._frames, None)
            if frame is None:
                number = self._read - 1
                break
            self._held[self._read] = self._light(frame)
            self._read += 1
        return self._held[number]

    def _light(self, frame: np.ndarray) -> torch.Tensor:
        height, width = self.size
        rows, columns = frame.shape[:2]
        shape = min(rows / height, columns / width)
        kept = round(height * shape), round(width * shape)
        top, left = (rows - kept[0]) // 2, (columns - kept[1]) // 2
        values = frame[top : top + kept[0], left : left + kept[1]].astype(np.float32) / 255
        light = torch.from_numpy(values if self._gamma_space else srgb_to_linear(values))
        light = light.permute(2, 0, 1)
        return area_weights(height, kept[0]) @ (light @ area_weights(width, kept[1]).T)

    def _interval(self, number: int) -> SourcePair:
        if number not in self._motion:
            self._motion[number] = SourcePair.between(self._frame(number), self._frame(number + 1))
        return self._motion[number]

    @torch.no_grad()
    def render(self, times: np.ndarray) -> torch.Tensor:
        """The light that falls on the frame at each of `times` (N,): (N, 3, H, W) float32."""
        places = np.asarray(times) * self._per_interval
        return torch.stack(
            [self._interval(int(np.floor(place))).at(float(place % 1)) for place in places]
        )

    @torch.no_grad()
    def slide(self, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
        """Return how far (F,), in pixels, all but the fastest 2 % of the picture move at most."""
        return np.array(
            [
                self._way(start, stop)
                for start, stop in zip(
                    starts * self._per_interval, stops * self._per_interval, strict=True
                )
            ]
        )

    def _way(self, start: float, stop: float) -> float:
        """Return how far it moves from `start` to `stop`, in source frames."""
        way = 0.0
        for number in range(int(np.floor(start)), int(np.ceil(stop))):
            share = min(stop, number + 1) - max(start, number)
            lengths = torch.linalg.vector_norm(self._interval(number).flow[:, ::4, ::4], dim=0)
            way += share * float(lengths.flatten().quantile(0.98))
        return way
