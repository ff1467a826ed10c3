"""What a cluster costs beside the network, and into how many tasks it cuts videos."""

from __future__ import annotations

import json
import re
import time
from itertools import product

import pytest

from spikedeblur.io.video import open_video
from spikedeblur.restoration.cluster import TASKS_A_SLOT, tasks_for
from spikedeblur.restoration.cuts import in_shots
from spikedeblur.vocabulary import SEGMENT_FRAMES
from tests.documents import ROOT
from tests.integration.clusters import on_two_workers
from tests.integration.killing import make_job
from tests.io.clips import Clip, make_clip

COST = r"the network had ([0-9.]+) s of the ([0-9.]+) s"


def test_tasks_are_many_enough_and_no_more():
    assert tasks_for([None, 30], 8) == [8, 30]
    for segments, videos, slots in product((1, 7, 64, 15_625), (1, 3, 1000), (1, 2, 100)):
        tasks = tasks_for([segments] * videos, slots)
        assert all(1 <= number <= segments for number in tasks)
        assert sum(tasks) >= min(segments * videos, TASKS_A_SLOT * slots)
        assert sum(tasks) <= 2 * TASKS_A_SLOT * slots + videos  # so long videos are in one piece


@pytest.mark.slow
def test_what_is_not_the_network_is_little(tmp_path):
    """200 segments of small frames on two workers: all that is not the network is taken for
    overhead, the start of the workers, reading and writing too, and what reading before one's own
    segments takes at 640x360 is added. It is compared with the network's time of docs/baseline.json
    for 200 segments of 64 frames of that size.
    """
    pytest.importorskip("ray")
    job, segments = make_job(tmp_path / "long", ".mkv", 800), 200
    arguments = [str(job.video), f"--spikes={job.spikes}", "--segment", "4", "--threads", "1"]
    with on_two_workers(*arguments, "--progress", "none", "-o", str(tmp_path / "o.mkv")) as process:
        _, talk = process.communicate(timeout=540)
    assert process.returncode == 0, talk
    network_s, all_s = map(float, re.search(COST, talk).groups())
    rest_s = all_s - network_s

    large = Clip(size=(640, 360), times=tuple(range(0, 200 * 512, 512)))
    with open_video(make_clip(tmp_path, large)) as reader:
        began = time.process_time()  # of the core alone, which others may use as well
        frames = sum(1 for _ in in_shots(reader, lambda frame: frame.rgb))
        read_s = (time.process_time() - began) / frames
    [tasks] = tasks_for([segments], 2)
    again_s = (tasks - 1) / 2 * segments * SEGMENT_FRAMES * read_s

    cases = json.loads((ROOT / "docs" / "baseline.json").read_text())["cases"]
    [frame_s] = [
        each["seconds_per_frame"]
        for each in cases
        if (each["case"], each["method"]) == ("640x360", "net")
    ]
    all_of_it = segments * SEGMENT_FRAMES * frame_s
    print(
        f"\n{segments} segments in {tasks} tasks: {network_s:.1f} s in the network, {rest_s:.1f} s "
        f"beside it ({rest_s / segments * 1e3:.0f} ms a segment). At 640x360 reading before one's "
        f"own segments takes {read_s * 1e3:.1f} ms a frame, {again_s:.0f} s in all, the network "
        f"{all_of_it:.0f} s: {(rest_s + again_s) / all_of_it:.2%} of it is overhead"
    )
    assert rest_s + again_s <= 0.02 * all_of_it
