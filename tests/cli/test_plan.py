"""What `deblur` says before it begins, and what a dry run fails by."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.cli import progress
from spikedeblur.cli.displays import progress_display
from spikedeblur.cli.main import main
from spikedeblur.io.ffmpeg.encoders import EncoderSettings
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.restoration import trial as trial_module
from spikedeblur.restoration.pipeline import Deblurrer
from spikedeblur.restoration.plan import RunPlan, Tiling, plan_run
from spikedeblur.restoration.trial import Trial
from tests.recordings import HEIGHT, RATE, WIDTH


def deblur(recording, output: Path, *args: str, method: str = "sdm") -> int:
    command = ["deblur", recording.blurry, "--spikes", recording.spikes, "--progress", "none"]
    return main([*map(str, command), "--method", method, "-o", str(output), *args])


def test_a_dry_run_gives_numbers_with_units(recording, tmp_path, capsys, tiny_weights):
    network = ["--weights", str(tiny_weights), "--tile", "32", "--overlap", "8", "--threads", "1"]
    for method, more in (("sdm", []), ("net", network)):
        arguments = ["--dry-run", "--json", *more]
        assert deblur(recording, tmp_path / "o.mkv", *arguments, method=method) == 0
        plan = json.loads(capsys.readouterr().out)
        assert (plan["event"], plan["frames"], plan["covered_frames"]) == ("plan", 7, 7)
        assert plan["spike_match"] > 0.9 and plan["warnings"] == []
        assert plan["seconds_estimate"] > 0 and plan["output_mb_estimate"] > 0
        assert 50 < plan["peak_rss_mb_estimate"] < 5000
        [video] = plan["videos"]
        assert (video["width_px"], video["height_px"], video["fps"]) == (WIDTH, HEIGHT, RATE)
        assert video["method"] == method and video["output"] == str(tmp_path / "o.mkv")
        assert not any(isinstance(value, str) and " " in value for value in video.values())
    # Windows of 5 frames every 3 of 7 frames: two; tiles of 32 pixels over 48x32 of them: two.
    assert (video["window_frames"], video["tiles_per_window"], video["passes"]) == (5, 2, 4)
    assert list(tmp_path.iterdir()) == []


def test_the_plan_of_several_videos_is_one_object(recording, tmp_path, capsys):
    command = ["deblur", recording.blurry, recording.blurry.with_name("sharp.mkv")]
    command += ["--spikes", recording.spikes, "--spikes", recording.spikes, "--method", "sdm"]
    command += ["--output-dir", tmp_path / "out", "--dry-run", "--json"]
    assert main([*map(str, command)]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["event"] == "plan" and plan["frames"] == 14 and len(plan["videos"]) == 2
    parts = [video["seconds_estimate"] for video in plan["videos"]]
    assert plan["seconds_estimate"] == pytest.approx(sum(parts))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("what", "status", "facts"),
    [
        (["-o", "{here}/exists.mkv"], 1, ["exists.mkv", "-y"]),
        (["-o", "{here}/exists.mkv/o.mkv"], 1, ["exists.mkv", "folder"]),
        (["--codec", "nonsense"], 2, ["nonsense"]),
        (["--exposure", "0.05"], 2, ["0.05", "0.02", "--exposure"]),
        (["--offset", "9"], 1, ["none of the 7 frames", "--offset"]),
        (["--start", "9"], 1, ["--start"]),
        (["-o", "{here}/o.gif", "--resume"], 2, ["--resume"]),
    ],
)
def test_a_dry_run_fails_as_the_run_does(recording, tmp_path, capsys, what, status, facts):
    (tmp_path / "exists.mkv").write_bytes(b"x")
    options = [each.format(here=tmp_path) for each in what]
    said = []
    for dry in ([], ["--dry-run"]):
        assert deblur(recording, tmp_path / "o.mkv", *options, *dry) == status
        said.append(capsys.readouterr().err.splitlines()[-1])
        assert said[-1].startswith("spikedeblur: error: ")
        assert all(fact in said[-1] for fact in facts), said[-1]
    assert said[0] == said[1]


def test_a_dry_run_says_what_is_seen_of_a_file_that_broke_off(recording, tmp_path, capsys):
    whole = recording.blurry.read_bytes()
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(whole[: len(whole) * 7 // 10])
    call = ["deblur", str(broken), "--spikes", str(recording.spikes), "--method", "sdm"]
    said = []
    for options in ([], ["--dry-run"], ["--strict"], ["--dry-run", "--strict"]):
        status = main([*call, "-o", str(tmp_path / "o.mkv"), "-y", *options])
        assert status == (1 if "--strict" in options else 0 if options else 3)
        lines = [line for line in capsys.readouterr().err.splitlines() if "bytes before" in line]
        said += lines[:1]
    assert len(said) == 4 and said[0] == said[1] and said[2] == said[3]


def written(path: Path, times: list[int], base: Fraction) -> Path:
    info = replace(VideoInfo.synthetic(WIDTH, HEIGHT, 50), time_base=base)
    with create_video(path, info, EncoderSettings("libx264rgb")) as writer:
        for index, (pts, after) in enumerate(zip(times, [*times[1:], times[-1] + 20], strict=True)):
            rgb = np.full((HEIGHT, WIDTH, 3), 20 * index, np.uint8)
            gap = after - pts
            writer.write(VideoFrame(index, pts, base, gap, gap * base, rgb))
    return path


@pytest.mark.parametrize(
    "times",
    [[0, 20, 40, 60, 80], [400, 420, 440, 460, 480], [0, 11, 50, 58, 120]],
    ids=["plain", "late", "varying"],
)
def test_an_end_of_three_frames_is_three_frames(recording, tmp_path, times):
    video = written(tmp_path / "v.mp4", times, Fraction(1, 1000))
    parts = {("0f", "3f"): [0, 1, 2], ("1f", "3f"): [1, 2], ("2f", "9f"): [2, 3, 4]}
    for (start, end), wanted in parts.items():
        output = tmp_path / "o.mp4"
        command = ["deblur", video, "--spikes", recording.spikes, "--method", "tfp", "--offset"]
        command += [times[0] / 1000, "--start", start, "--end", end, "--codec", "libx264rgb"]
        assert main([*map(str, command), "-y", "-o", str(output)]) in (0, 3)
        with open_video(output) as reader:
            found = [frame.time for frame in reader]
        assert found == [Fraction(times[place], 1000) for place in wanted]


def test_a_run_says_what_it_will_do_at_its_start(recording, tmp_path, capsys):
    assert deblur(recording, tmp_path / "o.mkv", "--threads", "1") == 0
    first = capsys.readouterr().err.splitlines()[0]
    for fact in ("7 frames", f"{WIDTH}x{HEIGHT}", "sdm", "1 thread"):
        assert fact in first


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    perf_counter = process_time = monotonic


def test_tiles_are_counted_inside_a_slow_frame(monkeypatch, capsys):
    """Twelve passes: after the first, of 30 s, eleven are left; the first line comes at once."""
    monkeypatch.setattr(progress, "time", clock := Clock())
    with progress_display("plain", "deblurred") as display:
        display.begin(20, 12)
        clock.now += 5
        display.advance_tile(0, 6)
        for tile in (1, 2):
            clock.now += 30
            display.advance_tile(tile, 6)
    begun, first, second = capsys.readouterr().err.splitlines()
    assert "0/20" in begun
    assert "tile 1/6" in first and "0:05:30 to go" in first
    assert "tile 2/6" in second and "0:05:00 to go" in second


def test_joint_is_told_of_in_steps(recording, tmp_path):
    deblurrer, told = Deblurrer(method="joint"), []
    files = recording.blurry, recording.spikes, tmp_path / "o.mkv"
    assert plan_run(deblurrer, *files).passes == 2 * 7
    deblurrer.run(*files, end=Fraction(2, 50), on_tile=lambda *step: told.append(step))
    assert sorted(told) == [(0, 2)] * 2 + [(1, 2)] * 2 + [(2, 2)] * 2


def plan_of(frames: int, tiling: Tiling | None, trial: Trial) -> RunPlan:
    info = replace(VideoInfo.synthetic(640, 480, 50), frame_count_estimate=frames)
    return RunPlan(info, info, Path("o.mkv"), "net", 1, 1, None, tiling, None, trial, 300.0, 1.0)


def test_the_time_of_a_run_is_reckoned_from_a_trial(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    trial = Trial(2.0, 2.0, 0.1, 0.4, 1e6, 400.0, 0.0, 128**2, 3.0)
    # 100 frames of 2.5 s, the check and the trial beforehand.
    assert plan_of(100, None, trial).seconds == pytest.approx(100 * 2.5 + 1 + 3)
    # 33 windows of 5, in six tiles of 256 pixels: more pixels than the frame has.
    tiling = Tiling(5, 3, 256, 64, 6, 33, 198, 6400.0, "cpu", "fp32")
    overlapping = 6 * 256**2 / (640 * 480)
    expected = 33 * 5 * 2.5 * overlapping + 1 + 3
    assert plan_of(100, tiling, trial).seconds == pytest.approx(expected, rel=0.01)
    assert plan_of(100, None, trial).output_mb == pytest.approx(100)
    # Two cores: what both threads of the method do, and what goes on beside it, share them.
    assert trial.seconds(10, 2) == pytest.approx(20)
    assert replace(trial, compute_cpu_s=3.8).seconds(10, 2) == pytest.approx(21.5)


def test_frames_that_wait_are_held_as_decoded_and_as_rgb():
    """Of a method that takes nothing itself: nine frames of two pictures, 3 bytes a pixel each."""
    plan = plan_of(100, None, Trial(2.0, 2.0, 0.1, 0.4, 1e6, 300.0, 0.0, 640 * 480, 3.0))
    lossless = replace(plan, info=replace(plan.info, lossless=True))
    assert lossless.peak_mb == pytest.approx(300 + 9 * 2 * 3 * 640 * 480 / 1e6)


def test_what_runs_first_is_no_measurement(recording, tmp_path, monkeypatch):
    """The first pass takes 1 s, each later one 0.6 s, for 3 frames of 48x32, tried whole."""
    monkeypatch.setattr(trial_module, "time", clock := Clock())
    deblurrer, passes = Deblurrer(method="sdm"), iter([1.0, 0.6, 0.6])
    frames = deblurrer.frames

    def slow(part, spikes=None):
        clock.now += next(passes)
        return frames(part, spikes)

    monkeypatch.setattr(deblurrer, "frames", slow)
    plan = plan_run(deblurrer, recording.blurry, recording.spikes, tmp_path / "o.mkv")
    assert plan.trial.compute_s == pytest.approx(0.2) and next(passes) == 0.6


def test_a_machine_that_others_share_ends_no_trial_early(recording, tmp_path, monkeypatch):
    """Ten seconds of the clock for one of work: the first, cold pass is no measurement there, too.

    Two sizes are tried, by which memory is reckoned.
    """
    clock = SharedClock()
    monkeypatch.setattr(trial_module, "time", clock)
    monkeypatch.setattr(trial_module, "SIDE", 16)
    monkeypatch.setattr(trial_module, "PART_MULTIPLE", 8)
    deblurrer, sizes = Deblurrer(method="sdm"), []
    frames = deblurrer.frames

    def slow(part, spikes=None):
        clock.worked += 1.5 if not sizes else 1.2
        sizes.append(part[0].rgb.shape[:2])
        return frames(part, spikes)

    monkeypatch.setattr(deblurrer, "frames", slow)
    plan = plan_run(deblurrer, recording.blurry, recording.spikes, tmp_path / "o.mkv")
    assert sizes == [(16, 16), (16, 16), (32, 32)]
    assert plan.trial.tried_pixels == 32 * 32


class SharedClock:
    worked = 1000.0

    def perf_counter(self) -> float:
        return 10 * self.worked

    def process_time(self) -> float:
        return self.worked


def test_what_the_network_is_told_to_say(recording, tmp_path, tiny_weights):
    told: list[tuple[int, int]] = []
    Deblurrer(tiny_weights, tile=32, overlap=8).run(
        recording.blurry,
        recording.spikes,
        tmp_path / "o.mkv",
        on_tile=lambda done, passes: told.append((done, passes)),
    )
    assert told == 2 * [(0, 2), (1, 2), (2, 2)]
