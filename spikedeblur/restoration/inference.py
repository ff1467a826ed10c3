"""One network pass over frames of any size: tiles in, tiles out, overlap-added to whole frames.

What can go wrong with memory and numbers is handled here: a tile that does not fit is halved and
the frames are done again; a tile that is not finite is done again in fp32, and given back blurry,
counted, if that does not help.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from spikedeblur.errors import LOGGER, SpikedeblurError
from spikedeblur.machine.copies import Copies
from spikedeblur.machine.device import autocast
from spikedeblur.machine.memory import available_bytes, keep_freed
from spikedeblur.models.contract import RestorationModel
from spikedeblur.prior.chunks import EVERY_FRAME
from spikedeblur.restoration.spike_planes import SpikePlanes
from spikedeblur.restoration.tiling import (
    MULTIPLE,
    OnTile,
    OverlapAdd,
    Tile,
    TileGrid,
    check_tile,
    default_overlap,
    untold,
)
from spikedeblur.vocabulary import SMALLEST_TILE

OnArray = Callable[[np.ndarray], None]
TILE_STEP = 64
"""Tiles chosen by free memory have sides of multiples of this, or the smallest one there is."""
MEMORY_SHARE = 0.5
COPIES = 40
"""Peak memory of a pass, counted in feature maps of the network's widest stage: 33 were measured
with the official geometry at 128 pixels, 27 with the small one at 256, 18 at 640x360."""


@dataclass(frozen=True)
class _Pass:
    """What a network is called with for a tile of a window."""

    crop: Tensor
    voxels: Tensor | None
    target_time: float
    kept: slice


class TiledModel:
    """A network with the tiles, device and precision it runs with.

    tile: side in pixels, None to choose it from the free memory. overlap: pixels that neighbouring
    tiles share, None for a quarter of the tile up to 64. Raises `UsageError` for impossible ones.
    """

    def __init__(
        self,
        model: RestorationModel,
        *,
        device: torch.device | None = None,
        precision: str = "fp32",
        tile: int | None = None,
        overlap: int | None = None,
    ) -> None:
        side = 2 * max(overlap or 0, 0) + 2 * MULTIPLE if tile is None else tile
        check_tile(side, default_overlap(side) if overlap is None else overlap)
        self.model = model
        self.device = device or torch.device("cpu")
        if self.device.type == "cpu":
            keep_freed()
        self.precision = precision
        self._copies = Copies(self.device)
        self._wanted_tile = tile
        self._overlap = overlap
        self.begin()

    def begin(self, tile: int | None = None, on_tile: OnTile = untold) -> None:
        """Forget the last video: the tile chosen for it, and the count of tiles left blurry.

        tile: the side to begin with, in place of the one to be chosen. on_tile: called before the
        first and after each pass with (passes done, passes of this window).
        """
        self.on_tile = on_tile
        self.tile = tile or self._wanted_tile
        self.not_finite = 0

    def __call__(
        self,
        rgb: np.ndarray,
        planes: SpikePlanes | None,
        target_times: Sequence[float] = (0.0,),
        kept: slice = EVERY_FRAME,
    ) -> list[np.ndarray]:
        """Restore the frames of one window at each of `target_times`.

        rgb: (T, H, W, 3) uint8 or uint16, sRGB. target_times: instants within the exposure, -0.5
        to 0.5. kept: which frames to restore; the others are looked at only. Returns one float32
        array (T of those kept, 3, H, W) per time, about [0, 1], not clamped.
        Raises `SpikedeblurError` if even the smallest tile does not fit into memory.
        """
        height, width = rgb.shape[1:3]
        if self.tile is None:
            self.tile = self.choose_tile(height, width, len(rgb[kept]))
            LOGGER.debug("tiles of %d pixels for frames of %dx%d", self.tile, width, height)
        while True:
            try:
                return self._over_tiles(rgb, planes, target_times, kept, self.tile)
            except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError among them
                if not is_out_of_memory(error):
                    raise
            # Outside the handler: the traceback would keep the failed pass's tensors alive.
            self._halve_tile(height, width)

    def choose_tile(self, height: int, width: int, frames: int) -> int:
        """The largest tile that half of the free memory holds, at most the whole frame."""
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
        else:
            free = available_bytes()
        side = int((free * MEMORY_SHARE / self.working_bytes(1, frames)) ** 0.5)
        side = side // TILE_STEP * TILE_STEP
        return max(SMALLEST_TILE, min(side, _round_up(max(height, width), TILE_STEP)))

    def working_bytes(self, tile: int, frames: int) -> float:
        """Estimated peak memory of a pass over `frames` frames of one tile."""
        return 4 * frames * COPIES * self.model.channels_per_pixel * tile**2

    def grid(self, height: int, width: int, tile: int) -> TileGrid:
        """The tiles of a frame, placed on the network's own pooling grid."""
        multiple = max(MULTIPLE, self.model.size_multiple)
        return TileGrid(height, width, tile, self.overlap_of(tile), multiple)

    def overlap_of(self, tile: int) -> int:
        """The overlap in use with tiles of this side."""
        wanted = default_overlap(tile) if self._overlap is None else self._overlap
        return min(wanted, tile // 2)

    def _halve_tile(self, height: int, width: int) -> None:
        assert self.tile is not None
        failed = min(self.tile, _round_up(max(height, width), MULTIPLE))
        if failed <= SMALLEST_TILE:
            raise SpikedeblurError(
                f"out of memory even with tiles of {failed} pixels - close "
                "other programs, or give a shorter --window"
            )
        self.tile = max(SMALLEST_TILE, failed // 2 // MULTIPLE * MULTIPLE)
        LOGGER.warning(
            "out of memory with tiles of %d pixels - going on with %d", failed, self.tile
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _over_tiles(
        self,
        rgb: np.ndarray,
        planes: SpikePlanes | None,
        target_times: Sequence[float],
        kept: slice,
        tile_side: int,
    ) -> list[np.ndarray]:
        frames, height, width = rgb[kept].shape[:3]
        sums = [OverlapAdd((frames, 3), height, width) for _ in target_times]
        running: deque[tuple[_Pass, Callable[[], np.ndarray], OnArray]] = deque()
        grid, done = self.grid(height, width, tile_side), 0
        passes = len(grid) * len(target_times)

        def finish_oldest() -> None:
            nonlocal done
            one, result, add = running.popleft()
            add(self._finite(one, result()))
            done += 1
            self.on_tile(done, passes)

        self.on_tile(0, passes)
        planes = planes and self._brought(planes)
        for tile, weight in grid:
            crop, *voxels = self._copies.ahead(partial(self._inputs, rgb, planes, tile))
            for target_time, total in zip(target_times, sums, strict=True):
                one = _Pass(crop, voxels[0] if voxels else None, target_time, kept)
                out = self._run(one, self.precision)[0].float()
                running.append((one, self._copies.get(out), partial(total.add, tile, weight)))
                if len(running) > 1:  # the device has work while the host adds up
                    finish_oldest()
        while running:
            finish_oldest()
        return [total.total for total in sums]

    def _inputs(self, rgb: np.ndarray, planes: SpikePlanes | None, tile: Tile) -> list[Tensor]:
        """(1, T, 3, h, w) float32 in [0, 1] and, with spikes, (1, T, K, h', w'), on the device."""
        crop = rgb[:, tile.area[0], tile.area[1]]
        scale = np.float32(np.iinfo(rgb.dtype).max)
        planar = np.ascontiguousarray(np.moveaxis(crop.astype(np.float32) / scale, -1, 1))
        inputs = [self._copies.put(planar)[None]]
        if planes is not None:
            inputs.append(planes.on_tile(tile, rgb.shape[1:3], self.device)[None])
        return inputs

    def _brought(self, planes: SpikePlanes) -> SpikePlanes:
        """The planes on the device, for all tiles of a window."""
        (counts,) = self._copies.ahead(lambda: [self._copies.put(np.asarray(planes.counts))])
        return replace(planes, counts=counts)

    def _finite(self, one: _Pass, restored: np.ndarray) -> np.ndarray:
        """Return the network's result for a tile, or a substitute if that is not finite."""
        if self.precision != "fp32" and not np.isfinite(restored).all():
            restored = self._run(one, "fp32")[0].float().cpu().numpy()
        if not np.isfinite(restored).all():
            self.not_finite += 1
            restored = one.crop[0, one.kept].cpu().numpy()
        return restored

    def _run(self, one: _Pass, precision: str) -> Tensor:
        with torch.inference_mode(), autocast(precision, self.device):
            return self.model(one.crop, one.voxels, one.target_time, one.kept)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether torch or Python raised `error` for want of memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        sign in str(error) for sign in ("DefaultCPUAllocator", "out of memory", "not enough memory")
    )


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
