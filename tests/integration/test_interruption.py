"""Runs that are interrupted, by signals or by the machine, and what can be done then."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from spikedeblur.cli.main import main
from spikedeblur.cli.progress import Progress
from spikedeblur.output.parts import Parts
from tests.integration.killing import (
    FRAMES,
    SEGMENT,
    Job,
    assert_same_video,
    interrupted,
    signals_at,
)


@pytest.mark.parametrize(
    "number,status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
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
        images,
        "write_image",
        lambda path, *picture: (written.append(path.name), write(path, *picture)),
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
