"""What a finished file does not hold of what it was to hold, found by reading it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import cast

from av import VideoStream
from av.container import Container

from spikedeblur.errors import InputError
from spikedeblur.io.colour_tags import UNSPECIFIED
from spikedeblur.io.ffmpeg.containers import open_input
from spikedeblur.io.ffmpeg.metadata import lost_tags

Tags = dict[int | None, dict[str, str]]
_COLOURS = {"colorspace": "matrix", "color_primaries": "primaries", "color_trc": "transfer"}


def tags_of(container: Container) -> Tags:
    """The tags of a file (None) and of its streams, by their numbers."""
    tags: Tags = {None: dict(container.metadata)}
    return tags | {stream.index: dict(stream.metadata) for stream in container.streams}


def layouts_of(container: Container) -> dict[int, str]:
    """The arrangement of the channels of each stream of sound, such as 5.1(side)."""
    return {stream.index: stream.codec_context.layout.name for stream in container.streams.audio}


def losses(
    path: Path,
    tags: Tags,
    layouts: dict[int, str],
    written: VideoStream,
    aspect: Fraction | None,
    name: str,
) -> Iterator[str]:
    """Yield a warning for each kind of thing that is not in the file `path`.

    tags, layouts: those it was given. written: its video stream, as it was encoded. aspect: of its
    pixels. name: of its container format.
    """
    with suppress(InputError), open_input(path) as container:
        if lost := lost_tags(tags, tags_of(container)):
            yield f"{name} does not hold these tags: {lost} - use .mkv to keep all"
        stream = cast(VideoStream, container.streams[written.index])
        read, codec = stream.codec_context, written.codec_context
        gone = [
            words
            for tag, words in _COLOURS.items()
            if int(getattr(read, tag)) == UNSPECIFIED != int(getattr(codec, tag))
        ]
        if codec.format is not None and codec.format.is_rgb:
            gone = [words for words in gone if words != _COLOURS["colorspace"]]  # it has no matrix
        if gone:
            yield (
                f"the colour tags ({', '.join(gone)}) are not kept by {codec.name} in {name}: use "
                ".mkv or .mp4"
            )
        for index, layout in layouts_of(container).items():
            if layouts.get(index, layout) != layout:
                yield (
                    f"that the sound of stream {index} is {layouts[index]} is not kept in {name} "
                    f"({layout}): use .mov"
                )
        shape = stream.sample_aspect_ratio or read.sample_aspect_ratio or 1
        if shape != (aspect or 1):
            yield f"the pixel aspect {aspect} becomes {shape} by {codec.name} in {name}: use .mkv"
