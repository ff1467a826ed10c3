"""A method made ready to run: the network on its device, or one without weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from spikedeblur.errors import LOGGER, UsageError
from spikedeblur.io.pictures import Pictures
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.video import Reader, VideoSelection, VideoSource
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.machine.device import choose_device, choose_precision
from spikedeblur.models.contract import RestorationModel
from spikedeblur.recording.exposures import Exposures
from spikedeblur.recording.regions import region_grid
from spikedeblur.restoration.exposing import Spikes, exposed_video
from spikedeblur.restoration.inference import TiledModel
from spikedeblur.restoration.joint import JointRestorer
from spikedeblur.restoration.methods import METHODS
from spikedeblur.restoration.restorers import NetRestorer, Restorer, restorer_of
from spikedeblur.restoration.tiling import OnTile
from spikedeblur.vocabulary import BINS, NETWORK


@dataclass(frozen=True)
class PreparedMethod:
    """A method with all it runs with. tiled: the network, None for methods without weights.

    settings: by their names, as the record of a run holds them.
    """

    name: str
    restorer: Restorer
    settings: dict[str, Any]
    tiled: TiledModel | None = None

    @property
    def bins(self) -> int:
        """Bins of the voxel grids that it takes."""
        return BINS if self.tiled is None else self.tiled.model.bins

    @property
    def uses_spikes(self) -> bool:
        """Return whether it takes spikes at all."""
        return self.tiled is None or self.tiled.model.uses_spikes

    @property
    def any_instant(self) -> bool:
        """Return whether it restores other instants than the middle of an exposure."""
        return self.tiled is None or self.tiled.model.any_target_time

    @property
    def steps(self) -> int:
        """Steps of a frame of a method without tiles, of which `begin` tells; 0 for none."""
        return self.restorer.steps if isinstance(self.restorer, JointRestorer) else 0

    def begin(self, tile: int | None, on_tile: OnTile) -> None:
        """Begin another video, as of `TiledModel.begin`; a method without tiles tells of steps."""
        if self.tiled is not None:
            self.tiled.begin(tile, on_tile)
        elif isinstance(self.restorer, JointRestorer):
            self.restorer.on_step = on_tile

    def at(self, target_times: Sequence[float]) -> Restorer:
        """Return its restorer for other instants of the exposure."""
        if self.tiled is None or not isinstance(self.restorer, NetRestorer):
            return restorer_of(self.name, target_times)
        return NetRestorer(
            self.tiled,
            window=self.restorer.window,
            stride=self.restorer.stride,
            target_times=target_times,
        )

    def open_spikes(
        self, reader: Reader, spikes: Spikes | None, options: RecordingSettings
    ) -> tuple[Iterator[VideoFrame], Exposures | None]:
        """Return the frames of `reader`, and the exposures that `spikes` gives them."""
        if spikes is not None and not self.uses_spikes:
            LOGGER.warning("these weights use no spikes: the ones given are left alone")
        if not self.uses_spikes:
            return iter(reader), None
        if spikes is None:
            raise UsageError(f"the method {self.name} needs spikes - give --spikes S.dat")
        return exposed_video(reader, spikes, options, self.bins)

    @property
    def by_mean(self) -> bool:
        """Return whether each frame's mean says how light the result is."""
        method = METHODS.get(self.name.partition(":")[0])
        return method is not None and method.by_mean

    def fitted(
        self,
        video: str | VideoSource,
        spikes: Spikes | None,
        selection: VideoSelection,
        options: RecordingSettings | None = None,
    ) -> VideoSelection:
        """Return `selection` such that what is read around its region suits the spikes."""
        if selection.region is None or spikes is None or not self.uses_spikes:
            return selection
        if isinstance(video, Pictures) and not video.repeatable:  # so all of it is read
            return replace(selection, grid=video.info.whole_size)
        with replace(selection, region=None).open(video) as reader:
            if self.by_mean:
                return replace(selection, grid=reader.info.whole_size)
            exposures = self.open_spikes(reader, spikes, options or RecordingSettings())[1]
        assert exposures is not None
        return replace(selection, grid=region_grid(exposures, reader.info.whole_size))

    def tile_for(self, height: int, width: int) -> int | None:
        """Return the side of its tiles for frames of that size; None without a network."""
        if self.tiled is None or not isinstance(self.restorer, NetRestorer):
            return None
        given: int | None = self.settings["tile"]
        return given or self.tiled.choose_tile(height, width, self.restorer.window)


def prepare_method(
    name: str,
    model: str | Path | RestorationModel | None,
    target_times: Sequence[float],
    *,
    device: str,
    precision: str,
    compiled: bool,
    window: int | None,
    stride: int | None,
    tile: int | None,
    overlap: int | None,
) -> PreparedMethod:
    """Make a method ready; arguments and errors as of `Deblurrer`."""
    if name != NETWORK:
        return PreparedMethod(name, restorer_of(name, target_times), {"method": name})
    # Networks take a while to import, which those without weights need not wait for.
    from spikedeblur.models.checkpoint import load_model
    from spikedeblur.models.compiled import compile_blocks

    chosen = choose_device(device)
    numbers = choose_precision(precision, chosen)
    network: Any = model
    if model is None or isinstance(model, str | Path):
        network = load_model(model, chosen)
    elif isinstance(model, torch.nn.Module):
        network = model.to(chosen).eval()
    if not isinstance(network, RestorationModel):
        raise UsageError(
            f"not a model ({type(network).__name__} seen) - give weights, or what has the "
            "members of spikedeblur.models.contract.RestorationModel"
        )
    if compiled and isinstance(network, torch.nn.Module):
        compile_blocks(network, chosen)
    if len(target_times) > 1 and not network.any_target_time:
        raise UsageError(
            f"these weights restore one instant only (--slowmo {len(target_times)}) - "
            "use weights trained with MODEL.TARGET_TIME"
        )
    tiled = TiledModel(network, device=chosen, precision=numbers, tile=tile, overlap=overlap)
    restorer = NetRestorer(
        tiled,
        window=network.window if window is None else window,
        stride=stride,
        target_times=target_times,
    )
    settings = {
        "method": name,
        "precision": numbers,
        "window": restorer.window,
        "stride": restorer.stride,
        "tile": tile,
        "overlap": overlap,
    }
    return PreparedMethod(name, restorer, settings, tiled)
