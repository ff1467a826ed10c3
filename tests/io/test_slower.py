"""What stands beside the video follows a slower clock; sound, which cannot, is left out."""

from __future__ import annotations

import av
import pytest

from spikedeblur.io.video import open_video
from spikedeblur.output.options import OutputOptions
from spikedeblur.output.slow_motion import SlowMotion
from spikedeblur.output.writers import OutputWriters
from tests.io.clips import Clip, frames_of, make_clip, packets_of

CLIP = {"audio": True, "subtitles": 1, "chapters": True}


def slowed(source, target, timing, factor=3):
    slow_motion = SlowMotion(factor, timing)
    with (
        open_video(source) as reader,
        OutputWriters(target, slow_motion.info(reader.info), OutputOptions()) as writers,
    ):
        for blurry in reader:
            for frame in slow_motion.frames(blurry, [blurry.rgb] * factor):
                writers.write(blurry, frame)
    return writers.warnings


def chapters_of(path):
    with av.open(str(path)) as container:
        return [
            (each["start"] * each["time_base"], each["end"] * each["time_base"])
            for each in container.chapters()
        ]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_stretched(tmp_path, suffix):
    source, target = make_clip(tmp_path, Clip(suffix=suffix, **CLIP)), tmp_path / f"slow{suffix}"
    warnings = slowed(source, target, "stretch")
    assert ["audio" in warning for warning in warnings] == [True]
    before, after = frames_of(source), frames_of(target)
    assert [frame.time for frame in after[::3]] == [3 * frame.time for frame in before]
    assert chapters_of(target) == [(3 * start, 3 * stop) for start, stop in chapters_of(source)]
    with av.open(str(target)) as container:
        assert [stream.type for stream in container.streams if stream.type != "data"] == [
            "video",
            "subtitle",
        ]
    texts = [
        [packet for packet in packets_of(path).popitem()[1] if len(packet[0]) > 2]
        for path in (source, target)
    ]
    assert len(texts[0]) == 2
    assert texts[1] == [(text, 3 * begin, 3 * length) for text, begin, length in texts[0]]


def test_kept(tmp_path):
    source, target = make_clip(tmp_path, Clip(**CLIP)), tmp_path / "slow.mp4"
    assert slowed(source, target, "keep") == []
    assert packets_of(target) == packets_of(source)
    assert chapters_of(target) == chapters_of(source)
    assert [frame.time for frame in frames_of(target)[::3]] == [
        frame.time for frame in frames_of(source)
    ]
