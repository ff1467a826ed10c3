"""Deblurrer: the straight corridor from a blurry video and its spikes to a sharp video.

bytes -> frame -> exposure -> ticks -> voxels -> window -> tile -> network -> blend -> frame ->
bytes. Everything is a generator: alive are one window of frames and one tile of the network,
however long the video is. In `Deblurrer.run` what comes before the window and what comes after
the blend each go on in a thread of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from spikedeblur.agreement.check import check_spikes
from spikedeblur.agreement.verdict import Agreement
from spikedeblur.agreement.watch import watched
from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video import Reader, VideoSelection
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.machine.ahead import ReadAhead, WriteBehind
from spikedeblur.machine.device import choose_device, choose_precision
from spikedeblur.models.checkpoint import load_model
from spikedeblur.models.compiled import compile_blocks
from spikedeblur.models.contract import RestorationModel
from spikedeblur.output.destinations import WHOLE, Destination, WholeOutput
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.instants import Instants
from spikedeblur.output.job import RunRecord, describe_job
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.restored import Restored, Timing
from spikedeblur.output.segmented import open_destination
from spikedeblur.output.shards import Shard
from spikedeblur.output.slow_motion import SlowMotion
from spikedeblur.quantities import Region, parse_region
from spikedeblur.recording.exposures import ExposedFrame, Exposures, StreamExposures, expose
from spikedeblur.restoration.exposing import Spikes, exposed_video
from spikedeblur.restoration.inference import TiledModel
from spikedeblur.restoration.instants import InstantsRestorer, placed_instants
from spikedeblur.restoration.restorers import NetRestorer, Restorer, restorer_of
from spikedeblur.restoration.selection import Selection
from spikedeblur.vocabulary import BINS, KEEP, NETWORK, SEGMENT_FRAMES

LOGGER = logging.getLogger("spikedeblur")


class Deblurrer:
    """Deblurs video with spikes.

        from spikedeblur import Deblurrer
        Deblurrer().run("blurry.mp4", "spikes.dat", "sharp.mp4")

    model: weights by file or packaged name, a model (a module is moved to the device), or None for
    the shipped weights.
    method: net, or one of `restoration.methods`, which need no weights (`model` is left alone).
    device: auto, cpu, cuda, cuda:N, mps. precision: auto, fp32, bf16, fp16 (CUDA only).
    compiled: the network's blocks go through torch.compile first.
    threads: of the CPU, for the whole process; None leaves torch's choice.
    window: frames the network sees at once, None for what it was trained with. stride: frames from
    one window to the next, None for 3 of 5. tile: side in pixels, None to choose by free memory.
    overlap: pixels shared by neighbouring tiles, None to choose.
    slowmo, slowmo_timing: sharp frames per blurry frame, spread over its exposure, and whether the
    video then keeps its length or is stretched (`SlowMotion`).
    strength: 1 for the sharp frames, 0 for the blurry ones, between them light of both.

    `tally` counts what became of the frames of the last run.
    Raises `UsageError` for values that cannot be, `WeightsError` for weights that cannot be used.
    """

    def __init__(
        self,
        model: str | Path | RestorationModel | None = None,
        *,
        method: str = NETWORK,
        device: str = "auto",
        precision: str = "auto",
        compiled: bool = False,
        threads: int | None = None,
        window: int | None = None,
        stride: int | None = None,
        tile: int | None = None,
        overlap: int | None = None,
        slowmo: int = 1,
        slowmo_timing: str = KEEP,
        strength: float = 1.0,
    ) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"no such strength ({strength} seen) - give 0 to 1")
        self.slow_motion = SlowMotion(slowmo, slowmo_timing)
        self.strength = strength
        if threads is not None:
            torch.set_num_threads(threads)
        self.method = method
        self.bins = BINS
        self.uses_spikes = True
        self.tally = FrameCounts()
        self.tiled: TiledModel | None = None
        self._settings: dict[str, Any] = {"method": method}
        if strength < 1:
            self._settings["strength"] = strength
        times = self.slow_motion.target_times
        if method != NETWORK:
            self.restorer: Restorer = restorer_of(method, times)
            return
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
        if slowmo > 1 and not network.any_target_time:
            raise UsageError(
                f"these weights restore one instant only (--slowmo {slowmo}) - "
                "use weights trained with MODEL.TARGET_TIME"
            )
        self.bins, self.uses_spikes = network.bins, network.uses_spikes
        self.tiled = TiledModel(
            network, device=chosen, precision=numbers, tile=tile, overlap=overlap
        )
        self.restorer = NetRestorer(
            self.tiled, window=window or network.window, stride=stride, target_times=times
        )
        self._settings |= {
            "precision": numbers,
            "window": self.restorer.window,
            "stride": self.restorer.stride,
            "tile": tile,
            "overlap": overlap,
        }

    def frames(
        self, frames: Iterable[VideoFrame], spikes: Exposures | SpikeStream | None = None
    ) -> Iterator[VideoFrame]:
        """Yield the sharp frames of `frames`, `slowmo` for each, in their depth, as they are done.

        spikes: where exposures come from; a stream stands for exposures that fill each frame's
        interval; None for a model without spikes.
        Raises `InputError` if no frame at all is covered by spikes.
        """
        self._begin()
        restorer, whole = self.restorer, Selection([WHOLE], self.restorer.context)
        exposed = _exposed(restorer, frames, self._exposures(spikes), whole)
        for _, sharp in self._pairs(restorer, exposed, self.slow_motion):
            yield sharp
        self.tally.check_coverage()

    def run(
        self,
        video: str | Path,
        spikes: Spikes | None,
        output: str | Path,
        *,
        spike_options: RecordingSettings | None = None,
        start: Fraction | None = None,
        end: Fraction | None = None,
        rate: Fraction | None = None,
        strict: bool = False,
        colorspace: str | None = None,
        region: Region | str | None = None,
        instants: Sequence[Fraction | float] | None = None,
        resume: bool = False,
        shard: Shard | None = None,
        segment: int = SEGMENT_FRAMES,
        on_frame: Callable[[int, int | None], None] | None = None,
        options: OutputOptions | None = None,
        **output_options: Any,
    ) -> FrameCounts:
        """Deblur a file into another; everything but the pictures is kept.

        spikes: a .dat (its sidecar is found), a voxel file (.tif, .npy, .npz), an open stream, or
        None for weights that use none. spike_options: what beats the sidecar. start, end: the part
        to read, seconds on the video's clock. rate: frames per second of images, which have none
        of their own. strict: damage of the video is an error. colorspace: the matrix the video's
        colours were made with (bt601, bt709, ...), in place of its tag. region: the part of each
        frame to restore and write, as `Region` or WxH+X+Y. instants: restore these seconds of the
        video's clock alone, each within an exposure; pictures without sound.
        resume: go on where a run of the same job ended, of which `Parts` are left. shard: which
        part of the work to do; the output appears when the last shard is done. segment: frames
        read for one segment, what is lost at most when the run is killed.
        on_frame: called after each frame with (frames written, frames expected or None).
        options: how the output is written; or its fields as keywords (codec, crf, overwrite, ...).
        Returns the tally; warnings go to the logger `spikedeblur`. Raises `InputError`,
        `OutputError` or `UsageError`, and then leaves nothing at `output`.
        """
        if options is None:
            options = OutputOptions.of(output_options)
        elif output_options:
            raise UsageError(
                f"options are given twice ({', '.join(output_options)} beside options=) - "
                "give them in one way"
            )
        region = parse_region(region) if isinstance(region, str) else region
        selection = VideoSelection(start, end, rate, colorspace, region)
        timing: Timing = self.slow_motion
        restorer, shard = self.restorer, shard or Shard()
        segments: Iterator[range] | None = None
        if instants is not None:
            if resume or shard.count > 1:
                raise UsageError(
                    "single instants are restored in one go (--instants, and --resume or --shard) "
                    "- leave the others out"
                )
            placed = self.place_instants(video, spikes, instants, selection, spike_options)
            single = InstantsRestorer(self.restorer, self._restorer_at, placed.targets)
            timing, restorer, segments = placed, single, single.segments
        with selection.open(video, strict=strict) as reader:
            frames, exposures = self.open_spikes(reader, spikes, spike_options)
            warned = _warn(reader.warnings)
            source = timing.info(reader.info)
            frame_count = source.frame_count_estimate
            if segments is not None:
                opened: Destination = WholeOutput(Path(output), source, options, frame_count)
            else:
                opened = open_destination(
                    Path(output),
                    source,
                    options,
                    frame_count and frame_count * self.slow_motion.factor,
                    job=lambda: self._job(
                        Path(video), spikes, spike_options, selection, source, options, segment
                    ),
                    shard=shard,
                    resume=resume,
                )
            with opened as destination:
                warned_of_output = _warn(destination.warnings)
                self._begin(destination.tile)
                agreement = _agreement(Path(video), exposures, selection)
                needed = Selection(segments or destination.segments, restorer.context)
                seen = watched(_exposed(restorer, frames, exposures, needed), exposures, agreement)
                with ReadAhead(seen) as exposed, WriteBehind(destination.write) as behind:
                    for restored, sharp in self._pairs(restorer, exposed, timing):
                        if destination.is_enough(restored):
                            break
                        behind.put(restored, sharp)
                        if on_frame is not None:
                            on_frame(destination.done + self.tally.written, destination.expected)
                self.tally.damaged = reader.damaged
                self.tally = destination.finish(self.tally, needed.frames)
        _warn(reader.warnings[warned:])
        _warn(destination.warnings[warned_of_output:])
        foretold = agreement and agreement.coverage and agreement.coverage.uncovered
        _warn(list(self.tally.warnings(foretold or 0)))
        return self.tally

    def place_instants(
        self,
        video: str | Path,
        spikes: Spikes | None,
        instants: Sequence[Fraction | float],
        selection: VideoSelection,
        spike_options: RecordingSettings | None = None,
    ) -> Instants:
        """Find the frames whose exposures the instants lie in; reads the video as far as needed.

        Raises `UsageError`, which lists the exposures there are, for an instant in none.
        """
        if self.slow_motion.factor > 1:
            raise UsageError("both instants and slow motion are asked for - give one of them")
        if self.tiled is not None and not self.tiled.model.any_target_time:
            raise UsageError(
                "these weights restore one instant of each exposure only (--instants given) - use "
                "weights trained with MODEL.TARGET_TIME"
            )
        with selection.open(video) as reader:
            frames, exposures = self.open_spikes(reader, spikes, spike_options)
            return placed_instants(frames, exposures, instants)

    def check(
        self,
        video: str | Path,
        spikes: Spikes | None,
        *,
        spike_options: RecordingSettings | None = None,
        selection: VideoSelection | None = None,
    ) -> Agreement | None:
        """Whether spikes and video belong together, by a few frames: what `run` says beforehand.

        selection: the part of the video, all of it by default. None for weights that use no spikes.
        Raises what opening both does, and `InputError` where spikes cover no frame at all.
        """
        chosen = selection or VideoSelection()
        with chosen.open(video) as reader:
            _, exposures = self.open_spikes(reader, spikes, spike_options)
        return None if exposures is None else check_spikes(Path(video), exposures, chosen)

    def open_spikes(
        self, reader: Reader, spikes: Spikes | None, options: RecordingSettings | None = None
    ) -> tuple[Iterator[VideoFrame], Exposures | None]:
        """The frames of `reader`, and the exposures that `spikes` gives them."""
        if spikes is not None and not self.uses_spikes:
            LOGGER.warning("these weights use no spikes: the ones given are left alone")
        if spikes is None or not self.uses_spikes:
            return iter(reader), self._exposures(None)
        return exposed_video(reader, spikes, options or RecordingSettings(), self.bins)

    def _exposures(self, spikes: Exposures | SpikeStream | None) -> Exposures | None:
        if not self.uses_spikes:
            return None
        if spikes is None:
            raise UsageError(f"the method {self.method} needs spikes - give --spikes S.dat")
        if isinstance(spikes, SpikeStream):
            return StreamExposures(spikes, bins=self.bins)
        return spikes

    def _job(
        self,
        video: Path,
        spikes: Spikes | None,
        spike_options: RecordingSettings | None,
        selection: VideoSelection,
        source: VideoInfo,
        options: OutputOptions,
        segment: int,
    ) -> RunRecord:
        """What a run does, for its segments."""
        tile, model = None, None
        if self.tiled is not None and isinstance(self.restorer, NetRestorer):
            tile = self._settings["tile"] or self.tiled.choose_tile(
                source.height, source.width, self.restorer.window
            )
            model = self.tiled.model
        return describe_job(
            video,
            spikes if self.uses_spikes else None,
            spike_options,
            selection=selection,
            slow_motion=self.slow_motion,
            method=self._settings,
            output=options,
            segment=segment,
            model=model,
            tile=tile,
        )

    def _begin(self, tile: int | None = None) -> None:
        """Forget the last video."""
        self.tally = FrameCounts()
        if self.tiled is not None:
            self.tiled.begin(tile)

    def _restorer_at(self, target_times: Sequence[float]) -> Restorer:
        """The same restorer for other instants of the exposure."""
        if self.tiled is None or not isinstance(self.restorer, NetRestorer):
            return restorer_of(self.method, target_times)
        return NetRestorer(
            self.tiled,
            window=self.restorer.window,
            stride=self.restorer.stride,
            target_times=target_times,
        )

    def _pairs(
        self, restorer: Restorer, exposed: Iterable[ExposedFrame], timing: Timing
    ) -> Iterator[tuple[Restored, VideoFrame]]:
        """Yield each frame that is wanted with its sharp frames."""
        for restored in restorer.restore(exposed):
            if not restored.exposed.wanted:
                continue
            self.tally.count(restored)
            for sharp in restored.sharp_frames(timing, self.strength):
                self.tally.written += 1
                yield restored, sharp


def _exposed(
    restorer: Restorer,
    frames: Iterable[VideoFrame],
    exposures: Exposures | None,
    selection: Selection,
) -> Iterator[ExposedFrame]:
    """Give the frames that are needed their spikes, and mark which of them belong together."""
    for needed in selection.of(restorer.in_shots(frames)):
        yield expose(needed.frame, exposures, needed.sequence, needed.wanted)


def _agreement(
    video: Path, exposures: Exposures | None, selection: VideoSelection
) -> Agreement | None:
    """Whether spikes and video belong together, with a warning for all that is wrong."""
    if exposures is None:
        return None
    agreement = check_spikes(video, exposures, selection)
    for finding in agreement.findings:
        LOGGER.warning("%s", finding.text, extra={"event": finding.event})
    if agreement.untold:
        LOGGER.info("cannot tell whether the spikes are of this video: %s", agreement.untold)
    return agreement


def _warn(messages: Sequence[str]) -> int:
    for message in messages:
        LOGGER.warning("%s", message)
    return len(messages)
