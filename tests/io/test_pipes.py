"""Video through pipes: the same pictures, times and streams as through files."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import spikedeblur
from spikedeblur.errors import InputError, UsageError
from spikedeblur.io.pipes import stored
from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoInfo
from tests.io.clips import Clip, frames_of, make_clip, packets_of, pass_through

PASS_ON = """
import sys
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
settings = EncoderSettings(sys.argv[3] or None)
with open_video(sys.argv[1]) as reader, create_video(sys.argv[2], reader.info, settings) as writer:
    for frame in reader:
        writer.write(frame)
print(writer.warnings, file=sys.stderr)
"""


def pass_on(
    source: Path, target: str = "-", codec: str = "", **options
) -> subprocess.CompletedProcess[bytes]:
    """Write a video to the standard output of a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(spikedeblur.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-c", PASS_ON, str(source), target, codec],
        env=environment,
        stderr=subprocess.PIPE,
        **options,
    )


def test_what_comes_out_of_a_pipe_is_the_video(tmp_path):
    source = make_clip(
        tmp_path,
        Clip(
            suffix=".mkv", codec="ffv1", pix_fmt="bgr0", audio=True, subtitles=2, tags=(0, 2, 2, 2)
        ),
    )
    done = pass_on(source, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == b"[]"
    (tmp_path / "out.mkv").write_bytes(done.stdout)
    for one, other in zip(frames_of(source), frames_of(tmp_path / "out.mkv"), strict=True):
        assert (one.time, one.interval) == (other.time, other.interval)
        np.testing.assert_array_equal(one.rgb, other.rgb)
    assert packets_of(tmp_path / "out.mkv") == packets_of(source)


def test_a_pipe_that_nobody_reads_is_a_broken_pipe(tmp_path):
    source = make_clip(
        tmp_path, Clip(size=(640, 480), codec="ffv1", pix_fmt="yuv420p", suffix=".mkv")
    )
    read, write = os.pipe()
    os.close(read)
    done = pass_on(source, stdout=write)
    os.close(write)
    assert done.returncode == 1 and b"BrokenPipeError" in done.stderr.splitlines()[-1]


def test_standard_input_is_stored_whole_and_removed():
    content = os.urandom(3_000_001)
    with stored(io.BytesIO(content)) as path:
        assert path.read_bytes() == content
    assert not path.exists() and not path.parent.exists()


def test_nothing_from_standard_input_is_an_input_error():
    with pytest.raises(InputError, match="0 bytes"), stored(io.BytesIO()):
        pass


@pytest.mark.parametrize(
    ("pix_fmt", "full"), [("yuv420p", False), ("yuv444p", True), ("yuv422p10le", False)]
)
def test_y4m_in_and_out_through_files_and_pipes(pix_fmt: str, full: bool, tmp_path: Path) -> None:
    clip = Clip(
        suffix=".mkv", codec="ffv1", pix_fmt=pix_fmt, size=(37, 21), times=(0, 512, 1024), full=full
    )
    source = make_clip(tmp_path, clip)
    pass_through(source, tmp_path / "a.y4m")
    piped = pass_on(tmp_path / "a.y4m", "-.y4m", stdout=subprocess.PIPE)
    assert piped.returncode == 0, piped.stderr
    assert piped.stdout == (tmp_path / "a.y4m").read_bytes()
    head, *pictures = piped.stdout.split(b"FRAME\n")
    assert head.startswith(b"YUV4MPEG2 W%d H%d F25:1" % (37, 21)) and len(pictures) == 3
    for one, other in zip(frames_of(source), frames_of(tmp_path / "a.y4m"), strict=True):
        assert one.time == other.time
        np.testing.assert_array_equal(one.rgb, other.rgb)


def test_formats_that_need_a_way_back_are_refused(tmp_path: Path) -> None:
    info = VideoInfo.synthetic(64, 48, 25)
    with pytest.raises(UsageError, match="pipe"):
        create_video("-.mp4", info)


@pytest.mark.parametrize(
    ("target", "codec", "kept"),
    [("-", "ffv1", False), ("-", "libx264", True), ("-.y4m", "", False), ("-.ts", "", True)],
)
def test_the_shape_of_pixels_in_a_pipe_is_kept_or_said(
    target: str, codec: str, kept: bool, tmp_path: Path
) -> None:
    source = make_clip(tmp_path, Clip(aspect=Fraction(16, 11)))
    done = pass_on(source, target, codec, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    with av.open(io.BytesIO(done.stdout)) as file:
        next(file.decode(video=0))
        stream = file.streams.video[0]
        seen = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    assert (seen == Fraction(16, 11)) == kept == (b"pixel aspect" not in done.stderr)
