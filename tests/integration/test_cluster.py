"""deblur --cluster: a Ray cluster makes what one process makes, also when a worker is killed.

Those with a cluster need ray, of the extra `cluster`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from spikedeblur.cli.main import main
from spikedeblur.output.parts import Parts
from tests.documents import ROOT
from tests.integration.clusters import (
    METHOD,
    call,
    machine,
    on_two_workers,
    raylet,
    wait_for,
    workers,
)
from tests.integration.killing import Job, assert_same_video, make_job


@pytest.fixture(scope="module")
def jobs(tmp_path_factory) -> list[Job]:
    """Two videos that one process has deblurred."""
    folder = tmp_path_factory.mktemp("cluster")
    made = [make_job(folder / name, ".mkv", frames) for name, frames in (("a", 48), ("b", 20))]
    for job in made:
        assert main(["-q", "deblur", *call(job), "-o", str(job.output)]) == 0
    return made


@pytest.mark.slow
def test_a_worker_is_killed_and_nothing_is_lost(jobs, tmp_path):
    pytest.importorskip("ray")
    outputs = [tmp_path / f"clip_deblurred{number}.mkv" for number in range(2)]
    rows = tmp_path / "list.txt"
    rows.write_text(
        "".join(
            f"{job.video}\t{job.spikes}\t{output}\n"
            for job, output in zip(jobs, outputs, strict=True)
        )
    )
    with on_two_workers("--list", str(rows), *METHOD, "--json") as process:
        parts = Parts(outputs[0])
        wait_for(lambda: len(parts.numbers()) >= 2 and workers(process))
        killed = workers(process)[0]
        os.kill(killed, signal.SIGKILL)
        said, talk = process.communicate(timeout=400)
    assert process.returncode == 0, talk
    events = [json.loads(line) for line in said.splitlines()]
    done = {each["input"]: each for each in events if each["event"] == "video"}
    assert [done[str(job.video)]["frames"] for job in jobs] == [48, 20]
    assert any(each["event"] == "progress" for each in events)
    for job, output in zip(jobs, outputs, strict=True):
        assert_same_video(job.output, output)
        assert not Parts(output).folder.exists()


@pytest.mark.slow
def test_a_machine_is_lost_and_its_work_is_not(jobs, tmp_path):
    pytest.importorskip("ray")
    (job, _), output = jobs, tmp_path / "out.mkv"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (tmp_path / "token").write_text("01" * 32)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token"),
        "RAY_worker_niceness": "0",  # 15 otherwise, which hardly runs beside other tests
    }
    port = f"--port={address.partition(':')[2]}"
    with machine(environment, "--head", port, "--include-dashboard=false") as head:
        wait_for(lambda: raylet(head))
        with machine(environment, f"--address={address}") as second:
            wait_for(lambda: raylet(second))
            time.sleep(5)  # until the head knows of it
            command = ["deblur", *call(job), "-o", str(output), "--cluster", address]
            with subprocess.Popen(
                [sys.executable, "-m", "spikedeblur", *command, "--progress", "none"],
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                parts = Parts(output)
                wait_for(lambda: len(parts.numbers()) >= 3)
                lost = raylet(second)
                assert lost is not None
                os.kill(lost, signal.SIGKILL)
                _, talk = process.communicate(timeout=400)
        stranger = subprocess.run(
            [sys.executable, "-m", "spikedeblur", *command, "-y"],
            env={**environment, "RAY_AUTH_MODE": "disabled"},
            capture_output=True,
            text=True,
            timeout=200,
        )
    assert process.returncode == 0, talk
    assert "2 at once" in talk, talk
    assert stranger.returncode == 1
    assert "the cluster wants its token" in stranger.stderr, stranger.stderr
    assert_same_video(job.output, output)
    assert not parts.folder.exists()


@pytest.mark.slow
def test_ctrl_c_ends_it_and_resume_goes_on(jobs, tmp_path):
    pytest.importorskip("ray")
    (job, _), output = jobs, tmp_path / "out.mkv"
    parts, arguments = Parts(output), [*call(job), "-o", str(output), "--progress", "none"]
    with on_two_workers(*arguments) as process:
        wait_for(lambda: len(parts.numbers()) >= 2)
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=200)
    assert process.returncode == 130 and "--resume" in talk, talk
    kept = {number: (parts.folder / f"{number:06}.json").stat() for number in parts.numbers()}
    assert 2 <= len(kept) < 12 and not output.exists()
    with on_two_workers(*arguments) as process:
        _, talk = process.communicate(timeout=200)
    assert process.returncode == 1 and "give --resume to go on, or -y" in talk
    for number, state in kept.items():  # nothing was done again
        assert (parts.folder / f"{number:06}.json").stat().st_mtime_ns == state.st_mtime_ns
    with on_two_workers(*arguments, "--resume") as process:
        _, talk = process.communicate(timeout=400)
    assert process.returncode == 0, talk
    assert_same_video(job.output, output)


@pytest.mark.slow
def test_a_video_that_fails_does_not_stop_the_other(jobs, tmp_path):
    pytest.importorskip("ray")
    (tmp_path / "bad.mkv").write_bytes(b"no video")
    (tmp_path / "clip.mkv").symlink_to(jobs[1].video)
    spikes = [f"--spikes={jobs[1].spikes}"] * 2
    videos = [str(tmp_path / name) for name in ("bad.mkv", "clip.mkv")]
    with on_two_workers(*videos, *spikes, *METHOD, "--output-dir", str(tmp_path)) as process:
        _, talk = process.communicate(timeout=400)
    assert process.returncode == 1 and "1 of 2 videos failed" in talk
    assert_same_video(jobs[1].output, tmp_path / "clip_deblurred.mkv")


def test_what_a_cluster_cannot_do_is_said_in_a_line(tmp_path, capsys, monkeypatch, recording):
    files = [str(recording.blurry), "--spikes", str(recording.spikes), "--method", "sdm"]
    for more, said in (
        (["-o", "-"], "a pipe or --instants given beside --cluster"),
        (["-o", str(tmp_path / "a.mkv"), "--jobs", "2"], "leave --jobs and --shard out"),
        (["-o", str(tmp_path / "a.mkv"), "--shard", "1/2"], "leave --jobs and --shard out"),
    ):
        assert main(["deblur", *files, *more, "--cluster", "local"]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert said in error
    free = socket.socket()
    free.bind(("127.0.0.1", 0))  # nobody listens
    nobody = f"127.0.0.1:{free.getsockname()[1]}"
    pytest.importorskip("ray")
    assert main(["deblur", *files, "-o", str(tmp_path / "a.mkv"), "--cluster", nobody]) == 1
    assert f"--cluster {nobody}: Connection refused" in capsys.readouterr().err
    free.close()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["deblur", *files, "-o", str(tmp_path / "a.mkv"), "--cluster", "auto"]) == 2
    assert "pip install 'spikedeblur[cluster]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
