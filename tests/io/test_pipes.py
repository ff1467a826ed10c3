"""Video through pipes: the same pictures, times and streams as through files."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spikedeblur
from spikedeblur.errors import InputError
from spikedeblur.io.pipes import stored
from tests.io.clips import Clip, frames_of, make_clip, packets_of

PASS_ON = """
import sys
from spikedeblur.io.video import create_video, open_video
with open_video(sys.argv[1]) as reader, create_video("-", reader.info) as writer:
    for frame in reader:
        writer.write(frame)
print(writer.warnings, file=sys.stderr)
"""


def pass_on(source: Path, **options) -> subprocess.CompletedProcess[bytes]:
    """Write a video to the standard output of a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(spikedeblur.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-c", PASS_ON, str(source)],
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
