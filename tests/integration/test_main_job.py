"""The main job through the program itself, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import spikedeblur
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from tests.recordings import RATE, frame_at

COMMAND = [sys.executable, "-m", "spikedeblur"]
PACKAGE_PARENT = Path(spikedeblur.__file__).resolve().parents[1]


def run(*args: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)}
    return subprocess.run(
        [*COMMAND, *map(str, args)], capture_output=True, text=True, cwd=cwd, env=environment
    )


def test_a_video_and_its_spikes_become_a_sharp_video(recording, tmp_path, tiny_weights):
    for path in recording.folder.iterdir():
        shutil.copy(path, tmp_path)
    done = run(
        "deblur",
        "blurry.mkv",
        "--spikes",
        "spikes.dat",
        "--weights",
        tiny_weights,
        "--json",
        "--threads",
        1,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["event"], summary["frames"]) == ("done", recording.frames)
    with (
        open_video(tmp_path / "blurry_deblurred.mkv") as sharp,
        open_video(recording.blurry) as blurry,
    ):
        assert [frame.time for frame in sharp] == [frame.time for frame in blurry]


def test_geometry_is_inferred_from_a_known_camera(tmp_path):
    """A 400x250 plane at 20 kHz: 5 frames of 1/50 s are 2,000 ticks of 12,500 bytes."""
    rng = np.random.default_rng(0)
    with create_video(tmp_path / "v.mp4", VideoInfo.synthetic(160, 100, 50, "yuv420p")) as writer:
        for index in range(5):
            writer.write(frame_at(index, rng.integers(0, 255, (100, 160, 3), dtype=np.uint8), 50))
    (tmp_path / "s.dat").write_bytes(rng.bytes(12_500) * 2_000)
    done = run("deblur", "v.mp4", "--spikes", "s.dat", "--method", "sdm", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with open_video(tmp_path / "v_deblurred.mp4") as reader:
        assert [frame.time for frame in reader] == [Fraction(n, 50) for n in range(5)]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_from_pipe_to_pipe(recording, tmp_path, suffix):
    """Also an ordinary MP4, whose index stands at its end; talk stays on standard error."""
    video = recording.blurry
    if suffix == ".mp4":
        video = tmp_path / "blurry.mp4"
        with (
            open_video(recording.blurry) as reader,
            create_video(video, reader.info, EncoderSettings("libx264rgb", crf=0)) as writer,
        ):
            for frame in reader:
                writer.write(frame)
    arguments = ["--spikes", recording.spikes, "--method", "sdm"]
    assert (
        run("deblur", video, *arguments, "-o", tmp_path / "file.mkv", cwd=tmp_path).returncode == 0
    )
    with video.open("rb") as source, (tmp_path / "pipe.mkv").open("wb") as target:
        done = subprocess.run(
            [*COMMAND, "deblur", "-", *map(str, arguments)],
            stdin=source,
            stdout=target,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)},
        )
    assert done.returncode == 0 and b"7 frames" in done.stderr, done.stderr
    with open_video(tmp_path / "file.mkv") as one, open_video(tmp_path / "pipe.mkv") as other:
        for frame, piped in zip(one, other, strict=True):
            assert frame.time == piped.time
            np.testing.assert_array_equal(frame.rgb, piped.rgb)


def write_noise(folder: Path, frames: int) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (32, 48, 3), dtype=np.uint8)
    with create_video(folder / f"{frames}.mkv", VideoInfo.synthetic(48, 32, RATE)) as writer:
        for index in range(frames):
            writer.write(frame_at(index, np.roll(picture, index, axis=1)))
    (folder / f"{frames}.dat").write_bytes(rng.bytes(48) * 20 * frames)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["sdm", "net"])
def test_a_long_video_needs_the_memory_of_a_short_one(tmp_path, tiny_weights, method):
    peaks = []
    for frames in (200, 2000):
        write_noise(tmp_path, frames)
        done = run(
            "deblur",
            f"{frames}.mkv",
            "--spikes",
            f"{frames}.dat",
            "--spike-size",
            "24x16",
            "--spike-rate",
            20 * RATE,
            "--method",
            method,
            "--weights",
            tiny_weights,
            "--json",
            "--threads",
            1,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        peaks.append(json.loads(done.stdout.splitlines()[-1])["peak_rss_mb"])
    assert peaks[1] < 1.05 * peaks[0]
