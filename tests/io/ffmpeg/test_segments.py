"""Segments: joined, they are the file that one encoder would have written, at the same times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.errors import InputError
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.ffmpeg.segments import SegmentWriter, delay_of, timed_packets
from spikedeblur.io.video import create_video, open_video
from tests.io.clips import Clip, frames_of, make_clip, packets_of, pass_through

VARIABLE = tuple(int(at) for at in np.cumsum([1000, 512, 300, 900, 512, 40, 512, 700, 512, 100]))
RECIPES = {
    "mp4": Clip(audio=True, subtitles=1, chapters=True),
    "late and variable": Clip(times=VARIABLE),
    "matroska": Clip(
        suffix=".mkv",
        time_base=Fraction(1, 1000),
        times=tuple(range(0, 400, 40)),
        audio=True,
        subtitles=2,
        attachment=True,
    ),
    "hevc": Clip(suffix=".mov", codec="libx265", pix_fmt="yuv420p10le", times=VARIABLE),
    "turned": Clip(rotation=90, aspect=Fraction(4, 3), tags=(1, 1, 1, 1), matrix=1),
    "one frame": Clip(times=(512,)),
}
LOSSLESS = {
    "libx264": {"encoder_options": {"qp": "0"}},
    "libx265": {"encoder_options": {"x265-params": "lossless=1"}},
    "ffv1": {},
    "prores_ks": {},
    "libsvtav1": {"crf": 5},
    "libvpx-vp9": {"encoder_options": {"lossless": "1"}},
}


def joined(source: Path, target: Path, length: int, **options: object) -> list[str]:
    """Write the frames of `source` in segments of `length`, and join them."""
    segments, settings = [], EncoderSettings(**options)
    with open_video(source) as reader:
        frames = list(reader)
        for start in range(0, len(frames), length):
            path = target.with_name(f"{target.stem}{start}.nut")
            with SegmentWriter(path, target, reader.info, settings) as segment:
                for frame in frames[start : start + length]:
                    segment.write(frame)
            segments.append((path, segment))
        with create_video(target, reader.info, settings) as writer:
            delay = max(delay_of(segment.times) for _, segment in segments)
            for path, segment in segments:
                assert segment.header == writer.header
                writer.append(
                    timed_packets(path, segment.times, segment.end, delay, writer.time_base),
                    segment.end,
                )
    return writer.warnings


@pytest.mark.parametrize("length", [1, 4, 100])
@pytest.mark.parametrize("name", RECIPES)
def test_a_joined_file_is_the_one_written_at_once(name: str, length: int, tmp_path: Path) -> None:
    clip = RECIPES[name]
    source = make_clip(tmp_path, clip)
    once, parts = tmp_path / f"once{clip.suffix}", tmp_path / f"parts{clip.suffix}"
    options = {"codec": clip.codec, **LOSSLESS[clip.codec]}
    warnings, _ = pass_through(source, once, **options)
    assert set(joined(source, parts, length, **options)) <= set(warnings)
    same(once, parts)


@pytest.mark.parametrize(
    "suffix,codec",
    [
        (".webm", "libvpx-vp9"),
        (".mkv", "libsvtav1"),
        (".mkv", "ffv1"),
        (".mov", "prores_ks"),
        (".avi", "ffv1"),
        (".avi", "libx264"),
        (".ts", "libx264"),
    ],
)
def test_every_encoder_and_format_can_be_joined(suffix: str, codec: str, tmp_path: Path) -> None:
    source = make_clip(
        tmp_path, Clip(audio=suffix != ".webm", times=tuple(range(0, 10 * 512, 512)))
    )
    once, parts = tmp_path / f"once{suffix}", tmp_path / f"parts{suffix}"
    options = {"codec": codec, **LOSSLESS[codec]}
    pass_through(source, once, **options)
    joined(source, parts, 4, **options)
    same(once, parts, exact=codec != "libsvtav1")


def same(once: Path, parts: Path, exact: bool = True) -> None:
    for one, other in zip(frames_of(once), frames_of(parts), strict=True):
        assert (one.time, one.interval) == (other.time, other.interval)
        difference = np.abs(one.rgb.astype(int) - other.rgb)
        assert difference.max() == 0 if exact else difference.mean() < 5
    assert packets_of(once) == packets_of(parts)
    with open_video(once) as one, open_video(parts) as other:
        for name in (
            "pix_fmt",
            "codec",
            "colour",
            "duration",
            "display_matrix",
            "sample_aspect_ratio",
            "streams",
            "metadata",
            "stream_metadata",
            "frame_count_estimate",
        ):
            assert getattr(one.info, name) == getattr(other.info, name), name
        # MP4 reckons it from the order of decoding, in which variable times are spread otherwise.
        assert one.info.average_rate == pytest.approx(other.info.average_rate, rel=0.03)
    with av.open(str(once)) as one, av.open(str(parts)) as other:
        assert one.chapters() == other.chapters()


def test_a_segment_plays_by_itself(tmp_path: Path) -> None:
    source = make_clip(tmp_path, Clip(times=VARIABLE))
    joined(source, tmp_path / "x.mp4", 4, encoder_options={"qp": "0"})
    whole = frames_of(tmp_path / "x.mp4")
    for number, part in enumerate(frames_of(tmp_path / "x4.nut")):
        np.testing.assert_array_equal(part.rgb, whole[4 + number].rgb)


def test_missing_packets_are_noticed(tmp_path: Path) -> None:
    source = make_clip(tmp_path, Clip())
    joined(source, tmp_path / "x.mp4", 4)
    for times in (range(3), range(5)):
        with pytest.raises(InputError, match="holds 4 frames in place of"):
            list(timed_packets(tmp_path / "x0.nut", times, 9, 0, Fraction(1, 25)))


def test_the_delay_is_the_longest_wait() -> None:
    assert delay_of([0, 1, 2]) == 0
    assert delay_of([0, 40, 10, 20]) == 20  # 40 is shown when 20 is decoded, fourth of four
