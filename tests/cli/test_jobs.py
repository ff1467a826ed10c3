"""--jobs: several videos at once, each in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from spikedeblur.cli import parallel
from spikedeblur.cli.main import main
from spikedeblur.cli.status import ExitStatus
from spikedeblur.io.image_files import write_image
from spikedeblur.io.video import open_video
from spikedeblur.machine.threads import usable_cores
from tests.cli.running import GEOMETRY, start

# Stands for the process of a video: repeats its arguments, in a moment, and fails for bad.mkv.
STAND_IN = """import json, os, sys
call, video = sys.argv[2:], sys.argv[-1]
bad = video.endswith("bad.mkv")
print(json.dumps({"event": "progress", "frames": 2, "total": 4, "fps": 1, "index": 0}))
print("spikedeblur: warning: something", file=sys.stderr)
if bad:
    print("spikedeblur: error: spoilt - try", file=sys.stderr)
sets = [name for name in os.environ if name.startswith("SPIKEDEBLUR_")]
print(json.dumps({"event": "video", "index": 0, "status": "failed" if bad else "done",
                  "frames": 0 if bad else 4, "call": call, "set": sets}))
sys.exit(1 if bad else 0)"""


@pytest.fixture
def folder(recording, tmp_path) -> Path:
    """Two copies of the recording, a and b, each with its spikes and sidecar beside it."""
    for name in "ab":
        for path in (recording.blurry, recording.spikes, recording.spikes.with_suffix(".toml")):
            shutil.copy(path, tmp_path / f"{name}{path.suffix}")
    return tmp_path


def deblur(*args: object) -> int:
    return main(["deblur", *map(str, args), "--method", "sdm", "--progress", "none"])


def pictures(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack([frame.rgb for frame in reader])


@pytest.fixture
def at_once(folder, monkeypatch) -> list[object]:
    """Two good videos and a bad one, and what is typed to do two of them at a time.

    What holds for all of them in a file and a variable does not reach the process of one.
    """
    (folder / "bad.mkv").write_bytes(b"no video")
    monkeypatch.chdir(folder)
    Path("spikedeblur.toml").write_text('[deblur]\noutput-dir = "sharp"\nlist = "list.txt"\n')
    Path("list.txt").write_text(f"{folder}/b.mkv\n")
    monkeypatch.setenv("SPIKEDEBLUR_DEBLUR_FAILURES", str(folder / "failed.txt"))
    files = [folder / name for name in ("a.mkv", "bad.mkv")]
    return [*files, "--jobs", 2, "--spikes", folder / "a.dat", *["--spikes", folder / "b.dat"] * 2]


@pytest.mark.slow
def test_two_at_once_make_what_one_after_the_other_do(folder, at_once, capsys):
    assert deblur(*at_once, "--json", "-e", "level=3") == ExitStatus.FAILED
    captured = capsys.readouterr()
    events = [json.loads(line) for line in captured.out.splitlines()]
    videos = sorted((e for e in events if e["event"] == "video"), key=lambda e: e["index"])
    assert [event["status"] for event in videos] == ["done", "failed", "done"]
    assert [Path(event["input"]).name for event in videos] == ["a.mkv", "bad.mkv", "b.mkv"]
    assert [event["frames"] for event in videos] == [7, 0, 7] and "bad.mkv" in videos[1]["error"]
    assert events[-1]["event"] == "done" and events[-1]["frames"] == 14
    assert "1 of 3 videos failed" in captured.err
    assert "bad.mkv" in (folder / "failed.txt").read_text().splitlines()[-1]
    Path("spikedeblur.toml").unlink()
    assert deblur(folder / "a.mkv", "-o", folder / "alone.mkv") == 0
    for name in "ab":
        made = pictures(folder / f"sharp/{name}_deblurred.mkv")
        np.testing.assert_array_equal(made, pictures(folder / "alone.mkv"))


@pytest.mark.slow
def test_ctrl_c_ends_all_that_are_at_work(folder, tmp_path):
    """In a process group of its own, as a terminal sends it; what is not done is listed."""
    frames = tmp_path / "frames"
    frames.mkdir()
    with open_video(folder / "a.mkv") as reader:
        write_image(frames / "1_0001.png", next(iter(reader)).rgb)
    lines = []
    for clip in (1, 2):
        for number in range(1, 9000):
            name = frames / f"{clip}_{number:04}.png"
            if not name.exists():
                os.link(frames / "1_0001.png", name)
        lines.append(f"{frames}/{clip}_%04d.png\t{folder}/a.dat\t{tmp_path}/{clip}.mkv")
    (tmp_path / "list.txt").write_text("\n".join(lines))
    process = start(
        *("deblur", "--list", str(tmp_path / "list.txt"), "--jobs", "2", "--method", "sdm"),
        *("--json", "--failures", str(tmp_path / "failed.txt"), *GEOMETRY),
        start_new_session=True,
    )
    seen: set[int] = set()
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        seen |= {event["index"]} if event["event"] == "progress" and event["frames"] else set()
        if len(seen) == 2:
            break
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == ExitStatus.CTRL_C and "Traceback" not in errors
    assert (tmp_path / "1.mkv.parts").exists() and (tmp_path / "2.mkv.parts").exists()
    assert (tmp_path / "failed.txt").read_text().count("# not reached") == 2


def test_each_process_has_what_was_typed(folder, at_once, monkeypatch, capsys):
    """But for what is about all videos; what comes back is of the right one."""
    monkeypatch.setattr(parallel, "START_ONE", STAND_IN)
    monkeypatch.setenv("SPIKEDEBLUR_METHOD", "sdm")
    more = ["--json", "-e", "g=1", "-e", "level=3", "--no-flip", "--offset", "-0.5", "-vq"]
    assert main(["deblur", *map(str, [*at_once, *more])]) == ExitStatus.FAILED
    captured = capsys.readouterr()
    events = [json.loads(line) for line in captured.out.splitlines()]
    told = {event["index"]: event for event in events if event["event"] == "progress"}
    videos = {event["index"]: event for event in events if event["event"] == "video"}
    assert told.keys() == videos.keys() == {0, 1, 2} and "batch_eta_s" in told[0]
    assert [videos[index]["status"] for index in range(3)] == ["done", "failed", "done"]
    assert videos[1]["error"] == "spoilt - try"
    assert videos[0]["set"] == ["SPIKEDEBLUR_METHOD"]
    typed = ["--encoder-option=g=1", "--encoder-option=level=3", "--no-flip", "--offset=-0.5"]
    assert videos[2]["call"] == [
        *("deblur", *typed, "--verbose", f"--threads={max(1, usable_cores() // 2)}"),
        f"--spikes={folder}/b.dat",
        "--output=sharp/b_deblurred.mkv",
        *("--json", "--progress=json", "--", f"{folder}/b.mkv"),
    ]
    done = events[-1]
    assert done["event"] == "done" and (done["frames"], done["warnings"]) == (8, 3)


def test_a_process_that_is_killed_is_a_video_that_failed(folder, monkeypatch, capsys):
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(parallel, "START_ONE", killed)
    assert deblur(folder / "a.mkv", folder / "b.mkv", "--jobs", 2) == ExitStatus.FAILED
    assert "its process has ended (SIGKILL)" in capsys.readouterr().err
