"""What FFmpeg says is told where it is asked for, and printed nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import pytest

from spikedeblur.io.ffmpeg.logs import errors_said
from tests.io.clips import Clip, make_clip


def test_errors_of_this_thread_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    with errors_said() as said:
        av.logging.log(av.logging.ERROR, "part", "this is wrong")
        av.logging.log(av.logging.INFO, "part", "this is not")
    av.logging.log(av.logging.ERROR, "part", "later")
    assert said == [(av.logging.ERROR, "part", "this is wrong")]
    assert capfd.readouterr().err == ""


def test_what_a_decoder_says_meanwhile_is_printed_nowhere(tmp_path: Path) -> None:
    """Another thread stumbles through a damaged video, while FFmpeg is listened to for a moment."""
    clip = Clip(
        suffix=".mkv",
        size=(320, 192),
        times=tuple(range(0, 40 * 512, 512)),
        options={"qp": "0", "g": "5"},
    )
    damaged = bytearray(make_clip(tmp_path, clip).read_bytes())
    for place in range(1000, len(damaged) - 500, 97):
        damaged[place] ^= 0x5A
    (tmp_path / "damaged.mkv").write_bytes(damaged)
    result = subprocess.run(
        [sys.executable, "-c", LISTENER, str(tmp_path / "damaged.mkv")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    decoded, heard = result.stdout.split()
    assert int(decoded) > 0 and heard == "[]"
    assert result.stderr == ""


LISTENER = """
import sys, threading, av
from spikedeblur.io.ffmpeg.logs import errors_said
from tests.io.clips import Clip, make_clip
decoded = 0
def stumble():
    global decoded
    for _ in range(100):
        with av.open(sys.argv[1]) as video:
            for packet in video.demux(video=0):
                try:
                    decoded += len(packet.decode())
                except av.FFmpegError:
                    pass
thread, heard = threading.Thread(target=stumble), []
thread.start()
while thread.is_alive():
    with errors_said() as said:
        thread.join(0.001)
    heard += said
print(decoded, heard)
"""
