"""What has to be equal in a video and its copy: times, colours, tags and every other stream."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from spikedeblur.io.video import open_video
from tests.io.clips import Clip, frames_of, packets_of, patch_centres


def check(source: Path, target: Path, clip: Clip) -> None:
    """Everything that must be equal, is."""
    before, after = frames_of(source), frames_of(target)
    assert len(after) == len(before) == len(clip.times)
    if clip.suffix in {".mp4", ".mov"}:
        assert [frame.time for frame in before] == [pts * clip.time_base for pts in clip.times]
    assert [frame.time for frame in after] == [frame.time for frame in before]
    assert [frame.interval for frame in after] == [frame.interval for frame in before]
    deep = before[0].rgb.dtype == np.uint16
    assert after[0].rgb.dtype == before[0].rgb.dtype
    limit, unit = (4, 64) if deep else (2, 1)
    for old, new in zip(before, after, strict=True):
        for row, column in patch_centres(clip.size):
            error = new.rgb[row, column].astype(int) - old.rgb[row, column]
            assert np.abs(error).max() <= limit * unit
    with open_video(source) as old_reader, open_video(target) as new_reader:
        old_info, new_info = old_reader.info, new_reader.info
    for name in (
        "width",
        "height",
        "pix_fmt",
        "colour",
        "matrix",
        "full_range",
        "rotation",
        "display_matrix",
        "sample_aspect_ratio",
        "average_rate",
    ):
        assert getattr(new_info, name) == getattr(old_info, name), name
    assert_same_packets(target, source)
    with av.open(str(source)) as first, av.open(str(target)) as second:
        assert chapters(second) == chapters(first)
        assert [stream.type for stream in second.streams] == [
            stream.type for stream in first.streams
        ]
        assert [stream.metadata.get("language") for stream in second.streams] == [
            stream.metadata.get("language") for stream in first.streams
        ]
        assert [stream.disposition for stream in second.streams] == [
            stream.disposition for stream in first.streams
        ]
        assert second.metadata["title"] == "A clip"
        assert [each.data for each in second.streams if each.type == "attachment"] == [
            each.data for each in first.streams if each.type == "attachment"
        ]


def assert_same_packets(target: Path, source: Path) -> None:
    """Bytes, times and durations, where the source has them: Matroska keeps none of sound, and
    what FFmpeg makes of that is at times 0 for the first packet.
    """
    before, after = packets_of(source), packets_of(target)
    assert before.keys() == after.keys()
    for index, old in before.items():
        new = after[index]
        assert [packet[:2] for packet in new] == [packet[:2] for packet in old]
        assert all(
            packet[2] == known[2] for packet, known in zip(new, old, strict=True) if known[2]
        )


def chapters(container: av.container.InputContainer) -> list[tuple[Fraction, Fraction, str]]:
    """Chapters in seconds."""
    return [
        (
            each["start"] * each["time_base"],
            each["end"] * each["time_base"],
            each["metadata"]["title"],
        )
        for each in container.chapters()
    ]


def probe(path: Path) -> dict[str, Any]:
    """What ffprobe, another build of FFmpeg, counts and reads in a file that PyAV has written."""
    entries = (
        "stream=codec_type,width,height,color_range,color_space,color_transfer,"
        "color_primaries,nb_read_frames,sample_aspect_ratio,duration"
        ":stream_tags=language,DURATION:stream_disposition=default,forced"
        ":stream_side_data=rotation:format=duration:format_tags=title"
        ":chapter=start_time,end_time:chapter_tags=title"
    )
    run = subprocess.run(
        [
            "ffprobe",
            "-v",
            "error",
            "-count_frames",
            "-show_entries",
            entries,
            "-of",
            "json",
            str(path),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(run.stdout)
    # MP4's text track of chapter titles, which its muxer makes.
    found["streams"] = [each for each in found["streams"] if each["codec_type"] != "data"]
    # The length of an MP4's tracks is exact; that of the file hangs on the order of decoding.
    if "DURATION" not in found["streams"][0].get("tags", {}):
        found["format"].pop("duration")
    for each in (found["format"], *found["streams"]):
        if "DURATION" in each.get("tags", {}):
            each.pop("duration", None)  # Matroska has the tag alone: ffprobe guesses from packets
        if "duration" in each:
            each["duration"] = round(float(each["duration"]), 3)
    return found
