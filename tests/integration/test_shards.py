"""Shards: several processes share the work on a video, and it comes out as from one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from spikedeblur.cli.main import main
from spikedeblur.io.ffmpeg.segments import SegmentWriter
from spikedeblur.io.lock import InUseError
from spikedeblur.output.parts import Parts, is_finished
from spikedeblur.output.shards import Shard
from spikedeblur.restoration.pipeline import Deblurrer
from tests.documents import ROOT, blocks
from tests.integration.killing import FRAMES, Job, assert_same_video, make_job
from tests.io.clips import frames_of
from tests.networks import Network
from tests.props import lay_out

LONG = 130


@Network
def mixing(rgb, voxels, target_time):
    """A model whose every frame depends on its place in the window and on all others in it."""
    places = torch.arange(1.0, 1 + rgb.shape[1]).reshape(1, -1, 1, 1, 1)
    return rgb * 0.5 + (rgb * places).sum(1, keepdim=True) / places.sum() * places / 20


@pytest.fixture(scope="module", params=[40, LONG])
def whole(request, tmp_path_factory) -> Job:
    """A job done at once, without segments that end before the video does."""
    job = make_job(tmp_path_factory.mktemp("whole") / "job", ".mkv", request.param)
    Deblurrer(mixing).run(job.video, job.spikes, job.output, codec="ffv1", segment=10**6)
    return job


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Names of the segments that are written."""
    names: list[str] = []
    begin = SegmentWriter.__init__

    def noted(self, path, *arguments, **options):
        names.append(path.name)
        begin(self, path, *arguments, **options)

    monkeypatch.setattr(SegmentWriter, "__init__", noted)
    return names


def in_shards(whole: Job, output: Path, count: int, segment: int) -> None:
    for index in reversed(range(count)):  # the end of the video first
        if is_finished(output):  # there are fewer segments than shards
            continue
        Deblurrer(mixing).run(
            whole.video,
            whole.spikes,
            output,
            codec="ffv1",
            segment=segment,
            shard=Shard(index + 1, count),
        )
    assert_same_video(whole.output, output)
    assert not Parts(output).folder.exists()


@pytest.mark.parametrize("whole", [40], indirect=True)
@pytest.mark.parametrize("count,segment", [(3, 7), (2, 64)])
def test_shards_make_what_one_process_makes(whole, tmp_path, opened, count, segment):
    in_shards(whole, tmp_path / "out.mkv", count, segment)
    assert len(opened) == len(set(opened)) == -(-40 // segment)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [LONG], indirect=True)
@pytest.mark.parametrize(
    "count,segment", [(count, segment) for count in (1, 2, 3, 5) for segment in (7, 64, 512)]
)
def test_any_number_of_shards_and_length_of_segments(whole, tmp_path, opened, count, segment):
    in_shards(whole, tmp_path / "out.mkv", count, segment)
    assert len(opened) == len(set(opened)) == -(-LONG // segment)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Job:
    job = make_job(tmp_path_factory.mktemp("done") / "job", ".mp4")
    assert job.deblur() == 0
    return job


def another(done: Job, folder: Path) -> Job:
    job = done.copy(folder / "job")
    job.output.unlink()
    return job


def test_a_shard_that_died_is_run_again_alone(done, tmp_path, opened, capsys):
    job = another(done, tmp_path)
    for index in (1, 2, 3):
        assert job.deblur("--shard", f"{index}/3") == 0
        if index == 2:  # it has lost its last segment, and half of another one
            parts = Parts(job.output)
            second, last = parts.numbers()[-2:]
            (parts.folder / f"{last:06}.json").unlink()
            path = parts.folder / f"{second:06}.nut"
            path.write_bytes(path.read_bytes()[:-100])
    assert not job.output.exists()
    assert main(["join", str(job.output)]) == 1
    assert f"missing are segments {second}, {last}" in capsys.readouterr().err
    opened.clear()
    assert job.deblur("--shard", "2/3") == 0
    assert opened == [f"{second:06}.nut", f"{last:06}.nut"]
    assert_same_video(done.output, job.output)


def test_processes_of_torchrun_share_the_work(done, tmp_path, monkeypatch, capsys):
    job = another(done, tmp_path)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")  # torchrun itself, and not what is like it
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("1", "0"):
        assert not job.output.exists()
        monkeypatch.setenv("RANK", rank)
        assert job.deblur(quiet=False) == 0
    said = capsys.readouterr().err
    assert "shard 2/2, as torchrun has it" in said and "wrote shard 2/2 of" in said
    assert f"wrote {job.output}: {FRAMES} frames" in said
    assert_same_video(done.output, job.output)


SLURM = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "2"}
POD = {"RANK": "1", "WORLD_SIZE": "2"}


@pytest.mark.parametrize("launcher", [SLURM, POD], ids=["Slurm", "pod"])
def test_what_did_not_ask_for_it_does_no_part(launcher, done, tmp_path, monkeypatch, capsys):
    """A task or pod with a video of its own; it is said first, and how to have a part."""
    job = another(done, tmp_path)
    for name, value in launcher.items():
        monkeypatch.setenv(name, value)
    assert job.deblur(quiet=False) == 0
    assert "2/2; --shard auto does that part" in capsys.readouterr().err.splitlines()[0]
    assert_same_video(done.output, job.output)


def test_auto_takes_the_part_of_the_launcher(done, tmp_path, monkeypatch, capsys):
    job = another(done, tmp_path)
    for task in ("1", "0"):
        for name, value in {**SLURM, "SLURM_ARRAY_TASK_ID": task}.items():
            monkeypatch.setenv(name, value)
        assert not job.output.exists()
        assert job.deblur("--shard", "auto", quiet=False) == 0
        first = capsys.readouterr().err.splitlines()[0]
        assert f"shard {int(task) + 1}/2, as Slurm has it" in first
    assert_same_video(done.output, job.output)


def test_one_shard_is_the_whole_whatever_the_launcher_says(done, tmp_path, monkeypatch):
    job = another(done, tmp_path)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "8")
    assert job.deblur("--shard", "1/1") == 0
    assert_same_video(done.output, job.output)


@pytest.mark.slow
def test_torchrun_itself(done, tmp_path):
    job = another(done, tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            "2",
            "--master-addr",
            "127.0.0.1",
            "--master-port",
            str(port),
            "-m",
            "spikedeblur",
            "deblur",
            str(job.video),
            "--spikes",
            str(job.spikes),
            "--method",
            "tfi",
            "--segment",
            "7",
            "--preset",
            "ultrafast",
            "--crf",
            "30",
            "-o",
            str(job.output),
        ],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert_same_video(done.output, job.output)


@pytest.mark.slow
def test_the_array_job_of_the_page(tmp_path, monkeypatch):
    """The script as it stands there, in a shell, with two tasks one after the other."""
    script = next(
        block.text for block in blocks(ROOT / "docs" / "cluster.md") if "--array=0-15" in block.text
    )
    lay_out(tmp_path)
    for name, line in (("srun", '"$@"'), ("spikedeblur", f'{sys.executable} -m spikedeblur "$@"')):
        (tmp_path / name).write_text(f"#!/bin/bash\nexec {line}\n")
        (tmp_path / name).chmod(0o755)
    for task in ("1", "0"):
        subprocess.run(
            ["bash", "-eu"],
            input=script,
            text=True,
            check=True,
            cwd=tmp_path,
            env={
                **os.environ,
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "SLURM_ARRAY_TASK_ID": task,
                "SLURM_ARRAY_TASK_COUNT": "2",
                "SLURM_ARRAY_TASK_MIN": "0",
                "SPIKEDEBLUR_DEBLUR_METHOD": "tfi",
                "SPIKEDEBLUR_DEBLUR_SEGMENT": "2",
            },
        )
        assert (tmp_path / "sharp.mp4").exists() == (task == "0")
    assert [frame.time for frame in frames_of(tmp_path / "sharp.mp4")] == [
        frame.time for frame in frames_of(tmp_path / "input.mp4")
    ]


@pytest.fixture(scope="module")
def all_done(done, tmp_path_factory) -> Job:
    """A job whose shards are all done, the last one stopped before it joined them."""

    def stopped(*_arguments, **_options):
        raise InUseError("another process joins - wait")

    job = another(done, tmp_path_factory.mktemp("all"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spikedeblur.output.segmented.join", stopped)
        for index in (2, 1):
            assert main(["join", str(job.output)]) == 1
            assert job.deblur("--shard", f"{index}/2") == 0
    assert not job.output.exists()
    return job


@pytest.fixture
def unjoined(all_done, tmp_path) -> Job:
    """The same, to be joined."""
    return all_done.copy(tmp_path / "job")


@pytest.fixture
def moved(all_done) -> Iterator[Path]:
    """The video, which has been moved for a while."""
    place = all_done.video
    yield place.rename(place.with_name("moved.mp4"))
    place.with_name("moved.mp4").rename(place)


def test_join_puts_together_what_is_there(done, unjoined, moved, capsys):
    parts = Parts(unjoined.output).folder
    assert main(["join", str(parts)]) == 1 and "clip.mp4" in capsys.readouterr().err
    assert main(["join", str(parts), "--video", str(done.output)]) == 1
    assert "is not the video" in capsys.readouterr().err
    assert main(["join", str(parts), "--video", str(moved), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["frames"], told["output"]) == ("done", FRAMES, str(unjoined.output))
    assert_same_video(done.output, unjoined.output)
    assert not parts.exists()


def test_join_replaces_nothing_unasked(done, unjoined, capsys):
    unjoined.output.write_text("precious")
    assert main(["join", str(unjoined.output)]) == 1 and "-y" in capsys.readouterr().err
    assert unjoined.output.read_text() == "precious"
    assert main(["join", str(unjoined.output), "-y"]) == 0
    assert_same_video(done.output, unjoined.output)


def test_join_says_what_is_missing(unjoined, capsys):
    parts = Parts(unjoined.output)
    (parts.folder / "000003.json").unlink()
    assert main(["join", str(unjoined.output)]) == 1
    assert "missing are segments 3" in capsys.readouterr().err
    (parts.folder / "end.json").unlink()
    assert main(["join", str(unjoined.output)]) == 1
    assert "the last is not among them" in capsys.readouterr().err
    (parts.folder / "job.json").unlink()
    assert main(["join", str(unjoined.output)]) == 1
    assert "there are no parts" in capsys.readouterr().err
