"""Deblurrer: the straight corridor from a blurry video and its spikes to a sharp video.

Everything is a generator: alive are one window of frames and one tile of the network, however long
the video is. In `Deblurrer.run` two threads beside it read ahead of the window and write behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from spikedeblur.agreement.check import check_spikes
from spikedeblur.agreement.verdict import Agreement
from spikedeblur.agreement.watch import watched
from spikedeblur.errors import UsageError, warn_of
from spikedeblur.io.pictures import Pictures
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.video import Reader, VideoSelection, VideoSource
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.machine.ahead import ReadAhead, WriteBehind
from spikedeblur.machine.threads import use_threads
from spikedeblur.models.contract import RestorationModel
from spikedeblur.output.destinations import Destination, WholeOutput
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.instants import Instants
from spikedeblur.output.job import describe_job
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.restored import Restored, Timing
from spikedeblur.output.segmented import check_whole, open_destination
from spikedeblur.output.shards import Shard
from spikedeblur.output.slow_motion import SlowMotion
from spikedeblur.quantities import Region, parse_region
from spikedeblur.recording.exposures import ExposedFrame, Exposures
from spikedeblur.restoration.exposing import Spikes, exposed_frames, warned_agreement
from spikedeblur.restoration.headroom import check_headroom, deeper, with_headroom
from spikedeblur.restoration.instants import InstantsRestorer, placed_instants
from spikedeblur.restoration.prepared import prepare_method
from spikedeblur.restoration.restorers import Restorer
from spikedeblur.restoration.selection import Selection
from spikedeblur.restoration.streaming import restored_frames
from spikedeblur.restoration.tiling import OnTile, untold
from spikedeblur.vocabulary import KEEP, NETWORK, SEGMENT_FRAMES


class Deblurrer:
    """Deblurs video with spikes.

        from spikedeblur import Deblurrer
        Deblurrer().run("blurry.mp4", "spikes.dat", "sharp.mp4")

    model: weights by file or packaged name, a model (a module is moved to the device), or None for
    the shipped weights.
    method: net, or one of `restoration.methods`, which need no weights (`model` is left alone).
    device: auto, cpu, cuda, cuda:N, mps. precision: auto, fp32, bf16, fp16 (CUDA only).
    compiled: the network's blocks go through torch.compile first. threads: of the CPU, for the
    whole process; None leaves torch's choice. window: frames the network sees at once, None for
    what it was trained with. stride: frames from one window to the next, None for the window. tile:
    side in pixels, None to choose by free memory. overlap: of neighbouring tiles, None to choose.
    slowmo, slowmo_timing: sharp frames per blurry frame, spread over its exposure, and whether the
    video then keeps its length or is stretched (`SlowMotion`).
    strength: 1 for the sharp frames, 0 for the blurry ones, between them light of both. headroom:
    stops by which frames are made darker, so that light fits that was clipped (`with_headroom`).

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
        headroom: float = 0.0,
    ) -> None:
        if not 0 <= strength <= 1:
            raise UsageError(f"no such strength ({strength} seen) - give 0 to 1")
        self.slow_motion = SlowMotion(slowmo, slowmo_timing)
        self.strength, self.headroom = strength, check_headroom(headroom)
        use_threads(threads)
        self.prepared = prepare_method(
            method,
            model,
            self.slow_motion.target_times,
            device=device,
            precision=precision,
            compiled=compiled,
            window=window,
            stride=stride,
            tile=tile,
            overlap=overlap,
        )
        self.method = method
        self.restorer, self.tiled = self.prepared.restorer, self.prepared.tiled
        self.bins, self.uses_spikes = self.prepared.bins, self.prepared.uses_spikes
        self.tally = FrameCounts()

    def frames(
        self,
        frames: Iterable[VideoFrame],
        spikes: Spikes | None = None,
        *,
        spike_options: RecordingSettings | None = None,
    ) -> Iterator[VideoFrame]:
        """Yield the sharp frames of `frames`, `slowmo` for each, in their depth, as they are done.

        frames: an open video, or anything to iterate over. spikes, spike_options: as of `run`; a
        stream lies to the frames as the sidecar says that it was opened with.
        Raises `InputError` if no frame at all is covered by spikes, and what `run` raises.
        """
        reader = frames if isinstance(frames, Reader) else Pictures(frames)
        yield from restored_frames(self, reader, spikes, spike_options)

    def run(
        self,
        video: str | VideoSource,
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
        on_tile: OnTile = untold,
        options: OutputOptions | None = None,
        **output_options: Any,
    ) -> FrameCounts:
        """Deblur a video into a file; all streams except the pictures are copied.

        video: a file, images, or `Pictures`. spikes: a .dat (its sidecar is found), a voxel file
        (.tif, .npy, .npz), an open stream, an array, or None for weights that use none. start, end:
        the part to read, seconds on the video's clock. rate: frames per second of images, which
        have none. strict: damage of the video is an error. colorspace: the matrix the video's
        colours were made with (bt601, bt709, ...), in place of its tag. region: the part of each
        frame to write, as `Region` or WxH+X+Y; what is around it is restored, too. instants:
        restore these seconds of the video's clock alone, each within an exposure; pictures without
        sound. spike_options: what beats the sidecar.
        resume: go on where a run of the same job ended, of which `Parts` are left. shard: which
        part of the work to do; the output appears when the last shard is done. segment: frames
        read for one segment, what is lost at most when the run is killed.
        on_frame: called after each frame with (frames written, frames expected or None).
        on_tile: as of `PreparedMethod.begin`. options: how the output is written; or its fields.
        Returns the tally; warnings go to the logger. Raises `InputError`, `OutputError` or
        `UsageError`, and then leaves nothing at `output`.
        """
        options = OutputOptions.of(output_options, options)
        video = Path(video) if isinstance(video, str) else video
        part = parse_region(region) if isinstance(region, str) else region
        selection = VideoSelection(start, end, rate, colorspace, part)
        selection = self.prepared.fitted(video, spikes, selection, spike_options)
        light: dict[str, float] = {"strength": self.strength} if self.strength < 1 else {}
        light |= {"headroom": self.headroom} if self.headroom else {}
        timing: Timing = self.slow_motion
        restorer, shard = self.restorer, shard or Shard()
        segments: Iterator[range] | None = None
        if instants is not None:
            if resume or shard.count > 1:
                raise UsageError(
                    "single instants are restored in one go - leave --resume and --shard out"
                )
            placed = self.place_instants(video, spikes, instants, selection, spike_options)
            single = InstantsRestorer(self.restorer, self.prepared.at, placed.targets)
            timing, restorer, segments = placed, single, single.segments
        with selection.open(video, strict=strict) as reader:
            frames, exposures = self.open_spikes(reader, spikes, spike_options)
            warned = warn_of(reader.warnings)
            source = deeper(timing.info(reader.info.written), self.headroom)
            kept = reader.info.kept
            frame_count = source.frame_count_estimate
            if segments is not None or isinstance(video, Pictures):
                check_whole(Path(output), resume or shard.count > 1)
                opened: Destination = WholeOutput(Path(output), source, options, frame_count)
            else:
                opened = open_destination(
                    Path(output),
                    source,
                    options,
                    frame_count and frame_count * self.slow_motion.factor,
                    job=lambda: describe_job(
                        video,
                        spikes if self.uses_spikes else None,
                        spike_options,
                        selection=selection,
                        slow_motion=self.slow_motion,
                        method={**self.prepared.settings, **light},
                        output=options,
                        segment=segment,
                        model=None if self.tiled is None else self.tiled.model,
                        tile=self.prepared.tile_for(reader.info.height, reader.info.width),
                    ),
                    shard=shard,
                    resume=resume,
                )
            with opened as destination:
                noted = warn_of(destination.warnings)
                self.begin(destination.tile, on_tile)
                agreement = warned_agreement(video, exposures, selection)
                needed = Selection(segments or destination.segments, restorer.context)
                seen = exposed_frames(restorer, frames, exposures, needed)
                seen = watched(seen, exposures, agreement)
                with ReadAhead(seen) as exposed, WriteBehind(destination.write) as behind:
                    for restored, sharp in self.pairs(restorer, exposed, timing, kept):
                        if destination.is_enough(restored):
                            break
                        behind.put(restored, sharp)
                        if on_frame is not None:
                            on_frame(destination.done + self.tally.written, destination.expected)
                self.tally.damaged = reader.damaged
                self.tally = destination.finish(self.tally, needed.frames)
        warn_of([*reader.warnings[warned:], *destination.warnings[noted:]])
        foretold = agreement and agreement.coverage and agreement.coverage.uncovered
        warn_of(list(self.tally.warnings(foretold or 0)))
        return self.tally

    def place_instants(
        self,
        video: str | VideoSource,
        spikes: Spikes | None,
        instants: Sequence[Fraction | float],
        selection: VideoSelection,
        spike_options: RecordingSettings | None = None,
    ) -> Instants:
        """Find the frames whose exposures the instants lie in. Raises `UsageError` for others."""
        if self.slow_motion.factor > 1:
            raise UsageError("both instants and slow motion are asked for - give one of them")
        if not self.prepared.any_instant:
            raise UsageError(
                "these weights restore one instant of each exposure only (--instants given) - use "
                "weights trained with MODEL.TARGET_TIME"
            )
        with selection.open(video) as reader:
            frames, exposures = self.open_spikes(reader, spikes, spike_options)
            return placed_instants(frames, exposures, instants)

    def check(
        self,
        video: str | VideoSource,
        spikes: Spikes | None,
        *,
        spike_options: RecordingSettings | None = None,
        selection: VideoSelection | None = None,
    ) -> Agreement | None:
        """Check by a few frames whether spikes and video belong together, as `run` does first.

        selection: the part of the video, all of it by default. None for weights that use no spikes.
        Raises what opening both does, and `InputError` where spikes cover no frame at all.
        """
        chosen = self.prepared.fitted(video, spikes, selection or VideoSelection(), spike_options)
        with chosen.open(video) as reader:
            exposures = self.open_spikes(reader, spikes, spike_options)[1]
        video = Path(video) if isinstance(video, str) else video
        return None if exposures is None else check_spikes(video, exposures, chosen)

    def open_spikes(
        self, reader: Reader, spikes: Spikes | None, options: RecordingSettings | None = None
    ) -> tuple[Iterator[VideoFrame], Exposures | None]:
        """Return the frames of `reader`, and the exposures that `spikes` gives them."""
        return self.prepared.open_spikes(reader, spikes, options or RecordingSettings())

    def begin(self, tile: int | None = None, on_tile: OnTile = untold) -> None:
        """Forget the last video."""
        self.tally = FrameCounts()
        self.prepared.begin(tile, on_tile)

    def pairs(
        self,
        restorer: Restorer,
        exposed: Iterable[ExposedFrame],
        timing: Timing,
        kept: Region | None = None,
    ) -> Iterator[tuple[Restored, VideoFrame]]:
        """Yield each frame that is wanted with its sharp frames; kept: the part of them, or all."""
        exposed = with_headroom(exposed, self.headroom)
        for restored in (each.cut(kept) for each in restorer.restore(exposed)):
            if not restored.exposed.wanted:
                continue
            self.tally.count(restored)
            for sharp in restored.sharp_frames(timing, self.strength):
                self.tally.written += 1
                yield restored, sharp
