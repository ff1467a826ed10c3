"""An encoder may not take the machine from all others."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.ffmpeg.scheduling import ordinary_priority
from spikedeblur.io.video import create_video
from spikedeblur.io.video_info import VideoInfo
from tests.recordings import frame_at

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux tells")


def policies():
    return {os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")}


def test_av1_is_encoded_by_ordinary_threads(tmp_path):
    """SVT-AV1 makes them real-time ones where it may, as for root."""
    info = VideoInfo.synthetic(64, 64, 25)
    with create_video(tmp_path / "v.mkv", info, EncoderSettings("libsvtav1")) as out:
        for index in range(3):
            out.write(frame_at(index, np.full((64, 64, 3), 90, np.uint8), 25))
            assert policies() == {os.SCHED_OTHER}
    assert policies() == {os.SCHED_OTHER}


def test_all_threads_are_given_back_their_policy():
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    try:
        with ordinary_priority():
            other.start()
            for thread in os.listdir("/proc/self/task"):
                os.sched_setscheduler(int(thread), os.SCHED_BATCH, os.sched_param(0))
        assert policies() == {os.SCHED_OTHER}
    finally:
        done.set()
        other.join()
