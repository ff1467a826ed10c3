"""Runs that are interrupted, by signals or by the machine, and what can be done then."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spikedeblur.cli.main import main
from spikedeblur.cli.progress import Progress
from spikedeblur.output.parts import Parts
from tests.integration.killing import FRAMES, SEGMENT, Job, assert_same_video, in_child, make_job


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Job:
    """A job whose output is there."""
    job = make_job(tmp_path_factory.mktemp("whole") / "job", ".mp4")
    assert job.deblur() == 0
    return job


@pytest.fixture
def job(whole, tmp_path) -> Job:
    """The same, to be done."""
    job = whole.copy(tmp_path / "job")
    job.output.unlink()
    return job


@contextmanager
def signals_at(*events: tuple[int, int]) -> Iterator[None]:
    """Have this process get a signal when so many frames are done, for each (frames, signal)."""
    waiting = list(events)
    advance = Progress.advance_to

    def advance_to(self, frames, total):
        advance(self, frames, total)
        if waiting and frames == waiting[0][0]:
            time.sleep(0.12)  # else it counts as the one before, come twice
            os.kill(os.getpid(), waiting.pop(0)[1])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "advance_to", advance_to)
        yield


@pytest.mark.parametrize("number,status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_segment_in_progress_is_finished(whole, job, capsys, number, status):
    with signals_at((10, number)):
        assert job.deblur() == status
    assert Parts(job.output).numbers() == [0, 1]
    lines = list(filter(None, capsys.readouterr().err.splitlines()))  # click ends ^C's line
    assert len(lines) == 1 and "2 segments kept" in lines[0] and "--resume" in lines[0]
    assert not job.output.exists()
    assert job.deblur("--resume") == 0
    assert_same_video(whole.output, job.output)


def test_a_second_signal_ends_at_once(whole, job):
    with signals_at((8, signal.SIGINT), (11, signal.SIGINT)):
        assert job.deblur() == 130
    assert Parts(job.output).numbers() == [0]
    assert [path.name for path in Parts(job.output).folder.iterdir() if ".part" in path.name] == []
    assert job.deblur("--resume") == 0
    assert_same_video(whole.output, job.output)


def test_the_first_segment_leaves_nothing_when_it_ends_at_once(job, capsys):
    with signals_at((2, signal.SIGINT), (4, signal.SIGTERM)):
        assert job.deblur() == 143
    assert "nothing was left" in capsys.readouterr().err
    assert not Parts(job.output).folder.exists()


def interrupted(job: Job, *options: str, output: Path | None = None) -> None:
    with signals_at((10, signal.SIGINT)):
        assert job.deblur(*options, output=output) == 130
    assert Parts(output or job.output).numbers()


OPTIONS = [
    ["--slowmo", "2", "--slowmo-timing", "stretch", "--compare", "side"],
    ["--start", "5f", "--end", "1.2"],
]
MORE_OPTIONS = [
    ["--slowmo", "3"],
    ["--method", "sdm"],
    ["--no-audio", "--no-subtitles"],
    ["--compare", "split"],
    ["--pix-fmt", "yuv444p", "-e", "tune=grain"],
]


@pytest.mark.parametrize(
    "options", [*OPTIONS, *(pytest.param(each, marks=pytest.mark.slow) for each in MORE_OPTIONS)]
)
def test_options_make_no_difference(job, tmp_path, options):
    once = tmp_path / "once.mp4"
    assert job.deblur(*options, output=once) == 0
    interrupted(job, *options)
    assert job.deblur(*options, "--resume") == 0
    assert_same_video(once, job.output)
    if "--compare" in options:
        assert_same_video(tmp_path / "once_compare.mp4", job.output.with_name("out_compare.mp4"))


def test_images_that_are_there_are_kept(job, tmp_path, monkeypatch):
    from spikedeblur.io import images

    once, output = tmp_path / "once", tmp_path / "images"
    for folder in (once, output):
        folder.mkdir()
    assert job.deblur(output=once / "%03d.png") == 0
    interrupted(job, output=output / "%03d.png")
    assert list(output.glob("*.png")) == []
    written: list[str] = []
    write = images.write_image
    monkeypatch.setattr(
        images, "write_image", lambda path, rgb: (written.append(path.name), write(path, rgb))
    )
    assert job.deblur("--resume", output=output / "%03d.png") == 0
    assert written == [f"{number + 1:03}.png" for number in range(2 * SEGMENT, FRAMES)]
    assert sorted(path.name for path in output.iterdir()) == sorted(
        path.name for path in once.iterdir()
    )
    for path in once.iterdir():
        assert path.read_bytes() == (output / path.name).read_bytes()


def test_weights_go_on_with_their_tiles(recording, tmp_path, tiny_weights, capsys):
    def deblur(output: Path, *options: str) -> int:
        return main(
            [
                "-q",
                "deblur",
                str(recording.blurry),
                "--spikes",
                str(recording.spikes),
                "--weights",
                str(tiny_weights),
                "--segment",
                "3",
                "-o",
                str(output),
                *options,
            ]
        )

    assert deblur(tmp_path / "once.mkv") == 0
    with signals_at((2, signal.SIGINT)):
        assert deblur(tmp_path / "out.mkv") == 130
    assert deblur(tmp_path / "out.mkv", "--resume", "--weights", "small") == 2
    assert "the weights" in capsys.readouterr().err
    assert deblur(tmp_path / "out.mkv", "--resume") == 0
    assert_same_video(tmp_path / "once.mkv", tmp_path / "out.mkv")


def test_a_signal_while_parts_are_joined_acts_when_they_are(whole, job, monkeypatch):
    """In a batch, it ends all that would come after."""
    from spikedeblur.output import segmented

    join = segmented.join

    def join_later(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return join(*arguments, **options)

    monkeypatch.setattr(segmented, "join", join_later)
    assert job.deblur() == 143
    assert_same_video(whole.output, job.output)
    assert not Parts(job.output).folder.exists()


def test_names_that_are_no_unicode(job, capsys):
    video = job.video.rename(job.video.with_name(os.fsdecode(b"clip \xff%41.mp4")))
    other = Job(video, job.spikes)
    with signals_at((10, signal.SIGINT)):
        assert other.deblur() == 130
    assert other.deblur("--shard", "1/2") == 0 and other.deblur("--shard", "2/2") == 0
    assert other.output.exists()


def test_a_batch_goes_on_with_the_video_it_was_at(job, tmp_path, capsys):
    second = job.video.with_name("second.mp4")
    shutil.copy(job.video, second)
    command = [
        "deblur",
        str(job.video),
        str(second),
        "--spikes",
        str(job.spikes),
        "--spikes",
        str(job.spikes),
        "--method",
        "tfi",
        "--segment",
        str(SEGMENT),
        "--output-dir",
        str(tmp_path / "out"),
        "--progress",
        "none",
        "--preset",
        "ultrafast",
    ]
    advance, counts = Progress.advance_to, []

    def advance_to(self, frames, total):
        counts.append(frames)
        if len(counts) == FRAMES + 10:
            os.kill(os.getpid(), signal.SIGINT)
        advance(self, frames, total)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "advance_to", advance_to)
        assert main(command) == 130
    first = (tmp_path / "out" / "clip_deblurred.mp4").stat()
    assert main([*command, "--resume"]) == 0
    assert "clip_deblurred.mp4 exists: nothing to do" in capsys.readouterr().err
    assert (tmp_path / "out" / "clip_deblurred.mp4").stat().st_mtime_ns == first.st_mtime_ns
    assert_same_video(
        tmp_path / "out" / "clip_deblurred.mp4", tmp_path / "out" / "second_deblurred.mp4"
    )
    assert len(list((tmp_path / "out").iterdir())) == 2


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture(scope="module")
def half_done(whole, tmp_path_factory) -> Job:
    """A job that was interrupted; nothing is to be done to it."""
    job = whole.copy(tmp_path_factory.mktemp("half") / "job")
    job.output.unlink()
    interrupted(job)
    return job


@pytest.mark.parametrize(
    "options,named",
    [
        (["--crf", "31"], "crf (30.0 before, now 31.0)"),
        (["--method", "tfp"], "method ('tfi' before, now 'tfp')"),
        (["--segment", "8"], "segment (7 before, now 8)"),
        (["--start", "1f"], "start"),
        (["--slowmo", "2"], "slowmo (1 before, now 2)"),
        (["--offset", "0.001"], "offset"),
        (["-e", "tune=film"], "encoder options"),
        (["--compare", "split"], "compare"),
    ],
)
def test_other_settings_are_refused_by_name(half_done, capsys, options, named):
    assert half_done.deblur("--resume", *options) == 2
    error = capsys.readouterr().err
    assert named in error and len(error.splitlines()) == 1
    assert Parts(half_done.output).numbers() == [0, 1]


@pytest.mark.parametrize("name", ["video", "spikes", "sidecar"])
def test_other_files_are_refused_by_name(half_done, tmp_path, capsys, name):
    job = half_done.copy(tmp_path / "job")
    sidecar = job.spikes.with_suffix(".toml")
    if name == "sidecar":
        sidecar.write_text(sidecar.read_text() + "exposure_s = 0.03\n")
    else:
        flip_a_byte(job.video if name == "video" else job.spikes)
    assert job.deblur("--resume") == 2
    error = capsys.readouterr().err
    assert f"the {name}" in error and len(error.splitlines()) == 1
    assert Parts(job.output).numbers() == [0, 1]


def damaged(half_done: Job, whole: Job, folder: Path, seed: int) -> None:
    """Change a byte somewhere in the parts: the video comes out right, or not at all."""
    job, chance = half_done.copy(folder), random.Random(seed)
    path = chance.choice(sorted(Parts(job.output).folder.iterdir()))
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    status = job.deblur("--resume")
    if path.name == "job.json":
        assert status == 1 and not job.output.exists()
    else:
        assert status == 0
        assert_same_video(whole.output, job.output)


@pytest.mark.parametrize("seed", range(1))
def test_damage_anywhere_is_noticed(half_done, whole, tmp_path, seed):
    damaged(half_done, whole, tmp_path / "job", seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 200))
def test_damage_in_many_places_is_noticed(half_done, whole, tmp_path, seed):
    damaged(half_done, whole, tmp_path / "job", seed)


def test_a_dry_run_says_what_is_done(half_done, capsys):
    assert half_done.deblur("--dry-run") == 0
    assert "2 segments are done" in capsys.readouterr().out


def test_work_that_is_there_is_not_thrown_away_unasked(whole, job, capsys):
    interrupted(job)
    capsys.readouterr()
    assert job.deblur() == 1
    assert "--resume to go on, or -y" in capsys.readouterr().err
    assert Parts(job.output).numbers() == [0, 1]
    assert job.deblur("-y") == 0
    assert_same_video(whole.output, job.output)


def test_an_output_that_was_to_be_replaced_still_is(whole, job):
    job.output.write_text("old")
    interrupted(job, "-y")
    assert job.output.read_text() == "old"
    assert job.deblur("--resume") == 0
    assert_same_video(whole.output, job.output)


def test_a_finished_output_is_left_alone(whole, job, capsys):
    assert job.deblur("--resume") == 0
    time_before = job.output.stat().st_mtime_ns
    assert job.deblur("--resume") == 0
    assert job.output.stat().st_mtime_ns == time_before
    assert job.deblur() == 1 and "exists" in capsys.readouterr().err


def test_damaged_segments_are_made_again(whole, job, capsys):
    with signals_at((30, signal.SIGINT)):
        assert job.deblur() == 130
    folder = Parts(job.output).folder
    flip_a_byte(folder / "000001.nut")
    flip_a_byte(folder / "000002.json")
    (folder / "000003.nut").unlink()
    capsys.readouterr()
    assert job.deblur("--resume", quiet=False) == 0
    said = capsys.readouterr().err
    assert [f"segment {number} in" in said for number in range(5)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert_same_video(whole.output, job.output)


def test_a_damaged_note_of_the_job_is_refused(job, capsys):
    interrupted(job)
    flip_a_byte(Parts(job.output).folder / "job.json")
    assert job.deblur("--resume") == 1
    assert "job.json is damaged" in capsys.readouterr().err


def test_two_runs_do_not_share_an_output(whole, job, capsys):
    def stand_still(*_arguments):
        time.sleep(60)

    def stuck() -> int:
        Progress.advance_to = stand_still
        return job.deblur()

    child = in_child(stuck)
    try:
        lock = Parts(job.output).folder / "shard-1-of-1.lock"
        while not (lock.exists() and lock.read_text()):
            time.sleep(0.01)
        assert job.deblur("--resume") == 1
        error = capsys.readouterr().err
        assert f"{job.output} is in use by another process (pid {child}" in error
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert job.deblur("--resume") == 0
    assert_same_video(whole.output, job.output)
