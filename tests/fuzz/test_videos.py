"""Videos with bytes changed: frames of one size at increasing times, or one `InputError`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given

from spikedeblur.errors import InputError, OutputError
from spikedeblur.inspection.files import inspect
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.video import create_video, open_video
from tests.fuzz.examples import fuzzed
from tests.fuzz.mutations import CHANGES, spoilt, write
from tests.hostile import check_message

MEGABYTES = 300
SIZE = 32, 16
FRAMES = 4
# Beyond what a spoilt file of a few kB can hold; who counts on would never end.
MANY = 2000


def small_clip(path: Path, codec: str) -> bytes:
    """A few frames of noise, with sound."""
    pictures = np.random.default_rng(3).integers(0, 255, (FRAMES, *SIZE[::-1], 3), np.uint8)
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        sound = output.add_stream("mp2" if path.suffix == ".ts" else "aac", rate=48_000)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), "fltp", "stereo")
        silence.sample_rate, silence.pts = 48_000, 0
        if path.suffix != ".ts":
            output.mux(sound.encode(silence) + sound.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".mkv", "ffv1"), (".avi", "mpeg4"), (".ts", "mpeg2video")],
)
def test_containers(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"v{suffix}"
    whole = small_clip(path, codec)

    @fuzzed(500)
    @given(CHANGES)
    def check(changes: bytes) -> None:
        write(path, spoilt(whole, changes))
        try:
            with open_video(path, max_pixels=1 << 20) as reader:
                last = None
                for number, frame in enumerate(reader):
                    assert frame.rgb.shape == (reader.info.height, reader.info.width, 3)
                    assert frame.interval > 0 and (last is None or frame.time > last)
                    last = frame.time
                    assert number < MANY
            assert inspect(path)["kind"] == "video"
        except InputError as error:
            check_message(error)

    with open_video(path) as reader:
        assert len(list(reader)) == FRAMES
    check()


def test_what_stands_beside_the_pictures(tmp_path: Path) -> None:
    """Sound and chapters are copied from the same bytes; what cannot be copied is one error."""
    path, copy = tmp_path / "v.mkv", tmp_path / "copy.mkv"
    whole = small_clip(path, "ffv1")

    @fuzzed(150)
    @given(CHANGES)
    def check(changes: bytes) -> None:
        write(path, spoilt(whole, changes))
        try:
            with (
                open_video(path, max_pixels=1 << 20) as reader,
                create_video(copy, reader.info, EncoderSettings("ffv1"), overwrite=True) as writer,
            ):
                for frame in reader:
                    writer.write(frame)
            assert writer.frames <= MANY
        except (InputError, OutputError) as error:
            check_message(error)
        assert {entry.name for entry in tmp_path.iterdir()} <= {"v.mkv", "copy.mkv"}

    check()
