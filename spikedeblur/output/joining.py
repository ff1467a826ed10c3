"""Finished segments become the output, without encoding anything again."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from spikedeblur.errors import InputError, OutputError
from spikedeblur.io.atomic import remove_leftovers
from spikedeblur.io.ffmpeg.segments import delay_of, timed_packets
from spikedeblur.io.ffmpeg.writer import VideoWriter
from spikedeblur.io.images import ImageSequenceWriter
from spikedeblur.io.lock import exclusive
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.output.job import fingerprint_of_video
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.parts import Parts, Segment, SegmentFile
from spikedeblur.output.slow_motion import SlowMotion
from spikedeblur.output.writers import OutputWriters, check_output_settings


def join(
    parts: Parts,
    segments: list[Segment],
    source: VideoInfo,
    options: OutputOptions,
    damaged: int = 0,
) -> tuple[FrameCounts, list[str]]:
    """Write the output of `parts`, and the comparison beside it, from all segments; remove these.

    source, options: the same as the segments were made with, see `OutputWriters`. Sound, subtitles,
    chapters and metadata are copied from the source as when frames are written. Until the output
    is whole, parts stay as they are, so that a join that is cut short can be done again.
    damaged: corrupt packets and frames of the source.
    Returns what became of the frames, and what the output does not keep. Raises `InUseError` while
    another process joins, `InputError` for damaged segments and where no frame has spikes,
    `OutputError` for what cannot be written.
    """
    with exclusive(parts.folder / "join.lock", str(parts.output)):
        total = _total(parts, segments, damaged)
        parts.note_joining()
        remove_leftovers(parts.output.parent, parts.output.stem.replace("%", ""))
        with OutputWriters(parts.output, source, replace(options, overwrite=True)) as outputs:
            for place, writer in enumerate(outputs.writers):
                files = {
                    parts.file(number, writer.path): segment.files[place]
                    for number, segment in enumerate(segments)
                }
                if isinstance(writer, ImageSequenceWriter):
                    for folder in files:
                        writer.append(folder)
                elif isinstance(writer, VideoWriter):
                    _append(writer, files)
        parts.remove()
    return total, [
        *outputs.warnings,
        *(warning for segment in segments for warning in segment.warnings),
    ]


def join_output(
    parts: Parts, video: Path | None = None, *, overwrite: bool = False
) -> tuple[FrameCounts, list[str]]:
    """Join the parts of an output, all of which have been made, as `job.json` there says.

    video: where the video is now, None if it is still where it was. Returns and raises what `join`
    does, and `InputError` for parts that are missing or another video.
    """
    job = parts.job
    if job is None:
        raise InputError(f"there are no parts of {parts.output} ({parts.folder}) - check the name")
    segments = parts.complete()
    if segments is None:
        raise InputError(
            f"{parts.output} is not complete: {parts.lacking()} - run the shards that "
            "have not ended well again"
        )
    video = video or job.video_file
    if fingerprint_of_video(video) != job.video:
        raise InputError(
            f"{video} is not the video that the parts in {parts.folder} were made of - give --video"
        )
    options = replace(job.output, overwrite=overwrite or job.output.overwrite or parts.joining)
    with job.reading.selection.open(video) as reader:
        source = SlowMotion(job.slowmo, job.slowmo_timing).info(reader.info.written)
        check_output_settings(parts.output, source, options)
        return join(parts, segments, source, options)


def _total(parts: Parts, segments: list[Segment], damaged: int) -> FrameCounts:
    total = FrameCounts()
    for segment in segments:
        total.add(segment.tally)
    end = parts.end
    total.damaged = max(damaged, 0 if end is None else end.damaged)
    try:
        total.check_coverage()
    except InputError:
        parts.remove()
        raise
    return total


def _append(writer: VideoWriter, files: dict[Path, SegmentFile]) -> None:
    delay = max(delay_of(file.times) for file in files.values())
    for path, file in files.items():
        if file.header != writer.header.hex():
            raise OutputError(
                f"{path} was made by an encoder of other settings or another version "
                f"(header {file.header[:16]}...) - remove it and give --resume"
            )
        writer.append(
            timed_packets(path, file.times, file.end, delay, Fraction(writer.time_base)), file.end
        )
