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
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.spikes.source import SpikeOptions
from spikedeblur.io.spikes.stream import SpikeStream
from spikedeblur.io.video import Reader, open_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.machine.ahead import ReadAhead, WriteBehind
from spikedeblur.machine.device import choose_device, choose_precision
from spikedeblur.models.checkpoint import load_model
from spikedeblur.models.compiled import compile_blocks
from spikedeblur.output.destinations import Destination, WholeOutput
from spikedeblur.output.job import Job, describe_job
from spikedeblur.output.segmented import SegmentedOutput, can_be_segmented
from spikedeblur.output.selection import WHOLE, Selection
from spikedeblur.output.shards import Shard
from spikedeblur.output.tally import Tally
from spikedeblur.recording.exposures import (
    ExposedFrame,
    Exposures,
    StreamExposures,
    VoxelExposures,
    expose,
    open_exposures,
)
from spikedeblur.restoration.inference import Model, TiledModel
from spikedeblur.restoration.restorers import ClassicalRestorer, NetRestorer, Restored, Restorer
from spikedeblur.restoration.slow_motion import SlowMotion
from spikedeblur.vocabulary import BINS, KEEP, SEGMENT_FRAMES, WINDOW

LOGGER = logging.getLogger("spikedeblur")
Spikes = str | Path | SpikeStream | Exposures


class Deblurrer:
    """Deblurs video with spikes.

        from spikedeblur import Deblurrer
        Deblurrer().run("blurry.mp4", "spikes.dat", "sharp.mp4")

    model: weights by file or packaged name, a model (a module is moved to the device), or None for
    the shipped weights.
    method: net, or sdm, tfp, tfi, which need no weights (`model` is then left alone).
    device: auto, cpu, cuda, cuda:N, mps. precision: auto, fp32, bf16, fp16 (CUDA only).
    compiled: the network's blocks go through torch.compile first.
    threads: of the CPU, for the whole process; None leaves torch's choice.
    window: frames the network sees at once, None for what it was trained with. stride: frames from
    one window to the next, None for 3 of 5. tile: side in pixels, None to choose by free memory.
    overlap: pixels shared by neighbouring tiles, None to choose.
    slowmo, slowmo_timing: sharp frames per blurry frame, spread over its exposure, and whether the
    video then keeps its length or is stretched (`SlowMotion`).

    `tally` counts what became of the frames of the last run.
    Raises `UsageError` for values that cannot be, `WeightsError` for weights that cannot be used.
    """

    def __init__(
        self,
        model: str | Path | Model | None = None,
        *,
        method: str = "net",
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
    ) -> None:
        self.slow_motion = SlowMotion(slowmo, slowmo_timing)
        if threads is not None:
            torch.set_num_threads(threads)
        self.method = method
        self.bins = BINS
        self.uses_spikes = True
        self.tally = Tally()
        self.tiled: TiledModel | None = None
        self._settings: dict[str, Any] = {"method": method}
        times = self.slow_motion.target_times
        if method != "net":
            self.restorer: Restorer = ClassicalRestorer(method, times)
            return
        chosen = choose_device(device)
        numbers = choose_precision(precision, chosen)
        network: Any = model
        if model is None or isinstance(model, str | Path):
            network = load_model(model, chosen)
        elif isinstance(model, torch.nn.Module):
            network = model.to(chosen).eval()
        if compiled and isinstance(network, torch.nn.Module):
            compile_blocks(network, chosen)
        if (config := getattr(network, "config", None)) is not None:
            self.bins = config.bins
            window = window or config.window
            if slowmo > 1 and not config.MODEL.TARGET_TIME:
                raise UsageError(
                    f"these weights restore one instant only (--slowmo {slowmo}) - "
                    "use weights trained with MODEL.TARGET_TIME"
                )
        self.uses_spikes = getattr(network, "uses_spikes", True)
        self.tiled = TiledModel(
            network, device=chosen, precision=numbers, tile=tile, overlap=overlap
        )
        self.restorer = NetRestorer(
            self.tiled, window=window or WINDOW, stride=stride, target_times=times
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
        whole = Selection([WHOLE], self.restorer.context)
        for _, sharp in self._pairs(self._exposed(frames, self._exposures(spikes), whole)):
            yield sharp
        self.tally.check_coverage()

    def run(
        self,
        video: str | Path,
        spikes: Spikes | None,
        output: str | Path,
        *,
        spike_options: SpikeOptions | None = None,
        start: Fraction | None = None,
        end: Fraction | None = None,
        rate: Fraction | None = None,
        strict: bool = False,
        colorspace: str | None = None,
        resume: bool = False,
        shard: Shard | None = None,
        segment: int = SEGMENT_FRAMES,
        on_frame: Callable[[int, int | None], None] | None = None,
        **sinks: Any,
    ) -> Tally:
        """Deblur a file into another; everything but the pictures is kept.

        spikes: a .dat (its sidecar is found), a voxel file (.tif, .npy, .npz), an open stream, or
        None for weights that use none. spike_options: what beats the sidecar. start, end: the part
        to read, seconds on the video's clock. rate: frames per second of images, which have none
        of their own. strict: damage of the video is an error. colorspace: the matrix the video's
        colours were made with (bt601, bt709, ...), in place of its tag.
        resume: go on where a run of the same job ended, of which `Parts` are left. shard: which
        part of the work to do; the output appears when the last shard is done. segment: frames
        read for one segment, what is lost at most when the run is killed.
        on_frame: called after each frame with (frames written, frames expected or None).
        sinks: keywords of `VideoSinks` (compare, overwrite) and `create_video` (codec, crf, ...).
        Returns the tally; warnings go to the logger `spikedeblur`. Raises `InputError`,
        `OutputError` or `UsageError`, and then leaves nothing at `output`.
        """
        reading: dict[str, Any] = {
            "start": start,
            "end": end,
            "rate": rate,
            "colorspace": colorspace,
        }
        with open_video(video, strict=strict, **reading) as reader:
            frames, exposures = self.open_spikes(reader, spikes, spike_options)
            told = _warn(reader.warnings)
            job = partial(
                describe_job,
                Path(video),
                spikes if self.uses_spikes else None,
                spike_options,
                reading=reading,
                segment=segment,
            )
            with self._destination(
                Path(output), reader.info, job, resume, shard or Shard(), **sinks
            ) as destination:
                told_of_output = _warn(destination.warnings)
                self._begin(destination.tile)
                selection = Selection(destination.segments, self.restorer.context)
                with (
                    ReadAhead(self._exposed(frames, exposures, selection)) as exposed,
                    WriteBehind(destination.write) as behind,
                ):
                    for restored, sharp in self._pairs(exposed):
                        if destination.is_enough(restored):
                            break
                        behind.put(restored, sharp)
                        if on_frame is not None:
                            on_frame(destination.done + self.tally.written, destination.expected)
                self.tally.damaged = reader.damaged
                self.tally = destination.finish(self.tally, selection.frames)
        _warn(reader.warnings[told:])
        _warn(destination.warnings[told_of_output:])
        _warn(list(self.tally.warnings()))
        return self.tally

    def open_spikes(
        self, reader: Reader, spikes: Spikes | None, options: SpikeOptions | None = None
    ) -> tuple[Iterator[VideoFrame], Exposures | None]:
        """The frames of `reader`, and the exposures that `spikes` gives them."""
        frames = iter(reader)
        if spikes is not None and not self.uses_spikes:
            LOGGER.warning("these weights use no spikes: the ones given are left alone")
        if spikes is None or not self.uses_spikes:
            return frames, self._exposures(None)
        first = next(frames)
        duration = reader.info.duration
        exposures = open_exposures(
            spikes,
            options or SpikeOptions(),
            bins=self.bins,
            interval_s=first.span[1],
            first_pts_s=_first_time(reader, first),
            duration_s=None if duration is None else duration - _first_time(reader, first),
            video_size=(reader.info.width, reader.info.height),
        )
        if isinstance(exposures, VoxelExposures) and reader.info.start is not None:
            raise UsageError(
                "a voxel file belongs to the whole video (--start given) - give the "
                ".dat, or leave --start out"
            )
        if isinstance(exposures, StreamExposures) and exposures.ended_before(first):
            raise InputError(
                "the spikes end before the first frame is exposed "
                f"({float(exposures.stream.duration_s):.3f} s of spikes from "
                f"{float(exposures.stream.offset_s):.3f} s on) - check --offset"
            )
        return chain([first], frames), exposures

    def _exposures(self, spikes: Exposures | SpikeStream | None) -> Exposures | None:
        if not self.uses_spikes:
            return None
        if spikes is None:
            raise UsageError(f"the method {self.method} needs spikes - give --spikes S.dat")
        if isinstance(spikes, SpikeStream):
            return StreamExposures(spikes, bins=self.bins)
        return spikes

    def _destination(
        self,
        output: Path,
        source: VideoInfo,
        job: Callable[..., Job],
        resume: bool,
        shard: Shard,
        *,
        overwrite: bool = False,
        **sinks: Any,
    ) -> Destination:
        """Segments, if the output can be joined of them. job: `describe_job`, half filled in."""
        slow = self.slow_motion
        expected = source.frame_count_estimate and source.frame_count_estimate * slow.factor
        if not can_be_segmented(output, source, **sinks):
            if resume or shard.count > 1:
                raise UsageError(
                    f"{output} cannot be made in parts (--resume, --shard) - name an "
                    ".mp4, .mov, .mkv, .webm, .avi, .ts or images"
                )
            return WholeOutput(
                output, source, expected, overwrite=overwrite, slow_motion=slow, **sinks
            )
        tile, model = None, None
        if self.tiled is not None and isinstance(self.restorer, NetRestorer):
            tile = self._settings["tile"] or self.tiled.choose_tile(
                source.height, source.width, self.restorer.window
            )
            model = self.tiled.model
        described = job(
            slow_motion=slow,
            method=self._settings,
            model=model,
            tile=tile,
            output=sinks,
            overwrite=overwrite,
        )
        return SegmentedOutput(
            output, source, described, shard=shard, resume=resume, slow_motion=slow, **sinks
        )

    def _begin(self, tile: int | None = None) -> None:
        """Forget the last video."""
        self.tally = Tally()
        if self.tiled is not None:
            self.tiled.begin(tile)

    def _exposed(
        self, frames: Iterable[VideoFrame], exposures: Exposures | None, selection: Selection
    ) -> Iterator[ExposedFrame]:
        """Give the frames that are needed their spikes, and mark which of them belong together."""
        for needed in selection.of(self.restorer.in_shots(frames)):
            yield expose(needed.frame, exposures, needed.sequence, needed.wanted)

    def _pairs(self, exposed: Iterable[ExposedFrame]) -> Iterator[tuple[Restored, VideoFrame]]:
        """Yield each frame that is wanted with its sharp frames, of which there are `slowmo`."""
        for restored in self.restorer.restore(exposed):
            if not restored.exposed.wanted:
                continue
            self.tally.count(restored)
            for sharp in _sharp_frames(restored, self.slow_motion):
                self.tally.written += 1
                yield restored, sharp


def _sharp_frames(restored: Restored, slow_motion: SlowMotion) -> Iterator[VideoFrame]:
    """The frames to write for one frame read, in its depth."""
    blurry = restored.exposed.frame
    pictures = [blurry.rgb] * slow_motion.factor
    if restored.pictures is not None:
        pictures = [to_integers(picture, blurry.rgb.dtype) for picture in restored.pictures]
    return slow_motion.frames(blurry, pictures)


def to_integers(picture: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Float picture in [0, 1] -> uint8 or uint16 over the whole scale, rounded to the nearest."""
    highest = np.iinfo(dtype).max
    return np.ascontiguousarray(np.rint(np.clip(picture, 0, 1) * highest).astype(dtype))


def _first_time(reader: Reader, first: VideoFrame) -> Fraction:
    """Time of the video's first frame, also when reading starts later."""
    if reader.info.start is None:
        return first.span[0]
    with open_video(reader.path, rate=reader.info.average_rate) as whole:
        return next(iter(whole)).span[0]


def _warn(messages: Sequence[str]) -> int:
    for message in messages:
        LOGGER.warning("%s", message)
    return len(messages)
