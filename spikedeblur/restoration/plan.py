"""What a run will do and what it will cost, in numbers, before it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from spikedeblur.agreement.verdict import Agreement
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.video import VideoSelection
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.machine.memory import resident_mb
from spikedeblur.machine.threads import usable_cores
from spikedeblur.output.instants import Instants
from spikedeblur.output.options import OutputOptions
from spikedeblur.recording.exposures import Exposures, StreamExposures
from spikedeblur.recording.transfer import curve_name
from spikedeblur.restoration.exposing import Spikes
from spikedeblur.restoration.restorers import NetRestorer
from spikedeblur.restoration.trial import LONE, SIDE, Trial, try_part

if TYPE_CHECKING:
    from spikedeblur.restoration.pipeline import Deblurrer

ALL, AS_USUAL = VideoSelection(), OutputOptions()
QUEUED = 6  # frames that wait between reading, restoring and writing
PICTURES_OF_A_FRAME = 2  # as RGB, and as it was decoded
FLOATS = 6  # float32 pictures of a frame that are alive while it is restored and merged
ENCODER_FRAMES = 50  # that an encoder looks ahead, 1.5 bytes a pixel
NEIGHBOURS_HELD = 1.3  # times the memory of a trial, whose few frames have few neighbours
CHECK_S = 0.5  # about what it takes to see whether the spikes fit, where that is not measured
WORTH_TRYING = 40  # times the cost of a trial that a run has to be, to be tried first


@dataclass(frozen=True)
class Tiling:
    """How the network goes over a video: windows of frames, each in tiles.

    windows: over all frames, None where their number is not known. passes: of the network over all
    tiles of them. bytes: of memory for each pixel of a tile, about.
    """

    window: int
    stride: int
    tile: int
    overlap: int
    tiles: int
    windows: int | None
    passes: int | None
    bytes: float
    device: str
    precision: str


@dataclass(frozen=True)
class RunPlan:
    """What a run will do.

    info: of the video that is read; source: of what is written. frames: read, None if not known.
    exposures: None without spikes. trial: what a part of it cost, None where none was made.
    checked_s: how long it took to find the agreement, which the run will do too; 0 if not measured.
    steps: of a frame, of methods that tell of them. instants: those restored alone, else None.
    """

    info: VideoInfo
    source: VideoInfo
    output: Path
    method: str
    slowmo: int
    threads: int
    exposures: Exposures | None
    tiling: Tiling | None
    agreement: Agreement | None
    trial: Trial | None
    base_mb: float
    checked_s: float = 0.0
    steps: int = 0
    instants: Instants | None = None

    @property
    def frames(self) -> int | None:
        """Frames that are read."""
        return self.info.frame_count_estimate

    @property
    def passes(self) -> int | None:
        """Passes of the network, or steps of `joint`; None without, or of an unknown number."""
        if self.instants is not None:
            return None if self.tiling is None else self.tiling.tiles * len(self.instants.all)
        if self.tiling is not None:
            return self.tiling.passes
        return self.frames * self.steps if self.frames and self.steps else None

    @property
    def seconds(self) -> float | None:
        """How long the run will take; None where nothing was tried."""
        if self.frames is None or self.trial is None:
            return None
        if self.instants is not None:
            trial, pictures = self.trial, len(self.instants.all)
            window = 1 if self.tiling is None else self.tiling.window
            each = trial.compute_s * window * self._overlapping + trial.write_s
            last = max(self.instants.times) + 1  # no frame beyond is read
            return last * trial.read_s + pictures * each + (self.checked_s or CHECK_S)
        seconds = self.trial.seconds(self.frames, usable_cores())
        if self.tiling is not None and self.tiling.windows is not None:
            # Windows overlap, and so do tiles; the trial was one tile of one window.
            times = self.tiling.windows * self.tiling.window / self.frames
            seconds *= self._overlapping * times
        return seconds + (self.checked_s or CHECK_S) + self.trial.spent_s * worth_trying(self)

    @property
    def _overlapping(self) -> float:
        """Pixels of all tiles over those of the frame."""
        if self.tiling is None or self.tiling.tiles == 1:
            return 1.0
        pixels = self.info.width * self.info.height
        return max(self.tiling.tiles * self.tiling.tile**2 / pixels, 1.0)

    @property
    def peak_mb(self) -> float | None:
        """Largest resident memory of the run, in MB of 10^6 bytes; None where that is not known."""
        pixels = self.info.width * self.info.height
        held = QUEUED + (self.tiling.window if self.tiling else 3 * self.threads)
        sample = 2 if self.info.bit_depth > 8 else 1
        frame = pixels * (PICTURES_OF_A_FRAME * 3 * sample) + 4 * self._bin_pixels
        buffers = held * frame + ENCODER_FRAMES * 1.5 * sample * pixels * (not self.info.lossless)
        if self.tiling is not None:
            side = self.tiling.tile
            area = min(side, self.info.width) * min(side, self.info.height)
            on_host = self.tiling.bytes * area if self.tiling.device == "cpu" else 0.0
            work = on_host + 12 * FLOATS * self.tiling.window * pixels
        elif self.trial is not None:
            more = max(pixels - self.trial.tried_pixels, 0)
            work = (self.trial.peak_mb - self.base_mb) * 1e6 + more * self.trial.bytes_per_pixel
            work *= NEIGHBOURS_HELD if self.steps else 1.0
        else:
            return None
        least = 0.0 if self.trial is None else self.trial.peak_mb
        return max(self.base_mb + (buffers + work) / 1e6, least)

    @property
    def _bin_pixels(self) -> int:
        """Numbers of a frame's voxel grid."""
        return 0 if self.exposures is None else 32 * math.prod(self.exposures.size)

    @property
    def output_mb(self) -> float | None:
        """Size of the pictures in the output, in MB of 10^6 bytes."""
        if self.trial is None or self.frames is None:
            return None
        pictures = self.frames if self.instants is None else len(self.instants.all)
        return self.trial.output_bytes * pictures / 1e6

    def figures(self) -> dict[str, Any]:
        """All of it, with units in the names."""
        spikes: dict[str, Any] = {}
        if self.exposures is not None:
            spikes = {"spike_width_px": self.exposures.size[0]}
            spikes["spike_height_px"] = self.exposures.size[1]
            spikes["transfer"] = curve_name(self.exposures.transfer)
        if isinstance(self.exposures, StreamExposures):
            stream = self.exposures.stream
            spikes |= {
                "spike_rate_hz": float(stream.rate_hz),
                "spike_ticks": stream.ticks,
                "offset_s": float(stream.offset_s),
            }
        network: dict[str, Any] = {}
        if (tiling := self.tiling) is not None:
            network = {
                "device": tiling.device,
                "precision": tiling.precision,
                "window_frames": tiling.window,
                "stride_frames": tiling.stride,
                "tile_px": tiling.tile,
                "overlap_px": tiling.overlap,
                "tiles_per_window": tiling.tiles,
                "passes": tiling.passes,
            }
        tried: dict[str, Any] = {}
        if (trial := self.trial) is not None:
            each = {"read": trial.read_s, "compute": trial.compute_s, "write": trial.write_s}
            tried = {f"{name}_s_per_frame": float(f"{s:.3g}") for name, s in each.items()}
        return {
            "frames": self.frames,
            "width_px": self.source.width,
            "height_px": self.source.height,
            "fps": float(self.info.average_rate),
            **spikes,
            **({"covered_frames": self.frames} if self.agreement is None else {}),
            **({} if self.agreement is None else self.agreement.figures),
            "method": self.method,
            **({} if self.instants is None else {"instants": len(self.instants.all)}),
            "slowmo": self.slowmo,
            "threads": self.threads,
            **network,
            **tried,
            "seconds_estimate": _rounded(self.seconds),
            "peak_rss_mb_estimate": _rounded(self.peak_mb),
            "output_mb_estimate": _rounded(self.output_mb),
            "output": str(self.output),
        }


def plan_run(
    deblurrer: Deblurrer,
    video: Path,
    spikes: Spikes | None,
    output: Path,
    *,
    spike_options: RecordingSettings | None = None,
    selection: VideoSelection = ALL,
    options: OutputOptions = AS_USUAL,
    agreement: Agreement | None = None,
    checked_s: float = 0.0,
    on_trial: bool = True,
    instants: Instants | None = None,
) -> RunPlan:
    """Say what `Deblurrer.run` will do and cost: how long it takes, how much memory and disk.

    agreement: what `Deblurrer.check` has found, in `checked_s` seconds. on_trial: restore a small
    part of a window for it. instants: those that are restored alone. Raises what opening both does.
    """
    selection = deblurrer.prepared.fitted(video, spikes, selection, spike_options)
    with selection.open(video) as reader:
        known = spikes if deblurrer.uses_spikes else None  # that they are not is told elsewhere
        info, exposures = reader.info, deblurrer.open_spikes(reader, known, spike_options)[1]
    timing = deblurrer.slow_motion if instants is None else instants
    source, base = timing.info(info.written), resident_mb()
    tiling = tiling_of(deblurrer, info)
    trial = None
    if on_trial:
        window = tiling.window if tiling else None
        trial = try_part(deblurrer, video, selection, exposures, window, source, output, options)
    return RunPlan(
        info,
        source,
        output,
        deblurrer.method,
        deblurrer.slow_motion.factor,
        torch.get_num_threads(),
        exposures,
        tiling,
        agreement,
        trial,
        base,
        checked_s,
        deblurrer.prepared.steps,
        instants,
    )


def tiling_of(deblurrer: Deblurrer, info: VideoInfo) -> Tiling | None:
    """How the network will go over a video; None for methods without one."""
    tiled, restorer = deblurrer.tiled, deblurrer.restorer
    if tiled is None or not isinstance(restorer, NetRestorer):
        return None
    window, stride = restorer.window, restorer.stride
    tile = tiled.tile or tiled.choose_tile(info.height, info.width, window)
    tiles = len(tiled.grid(info.height, info.width, tile))
    frames = info.frame_count_estimate
    windows = None if frames is None else 1 + max(math.ceil((frames - window) / stride), 0)
    passes = None if windows is None else windows * tiles * deblurrer.slow_motion.factor
    return Tiling(
        window,
        stride,
        tile,
        tiled.overlap_of(tile),
        tiles,
        windows,
        passes,
        tiled.working_bytes(1, window),
        str(tiled.device),
        tiled.precision,
    )


def worth_trying(plan: RunPlan) -> bool:
    """Whether a run will take so much longer than a trial that one is well spent."""
    window = plan.tiling.window if plan.tiling else LONE
    return (plan.frames or 0) * plan.info.width * plan.info.height > WORTH_TRYING * window * SIDE**2


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")
