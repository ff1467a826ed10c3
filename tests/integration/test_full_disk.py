"""Where there is no room to write: the file and the bytes are named, and nothing old is lost."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from spikedeblur.output.parts import Parts
from tests.integration.killing import Job, assert_same_video, make_job, outcome_in_child

OLD = b"precious" * 20_000


@pytest.fixture(scope="module", params=[".mp4", pytest.param(".mkv", marks=pytest.mark.slow)])
def whole(request, tmp_path_factory) -> Job:
    """A job whose output is there."""
    job = make_job(tmp_path_factory.mktemp("whole") / "job", request.param)
    assert job.deblur() == 0
    return job


@pytest.fixture
def job(whole, tmp_path) -> Job:
    """The same, with something else in the output's place."""
    job = whole.copy(tmp_path / "job")
    job.output.write_bytes(OLD)
    return job


def limited(job: Job, size: int, *options: str) -> tuple[int, str]:
    """Run where no file may have more than `size` bytes."""

    def run() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return job.deblur("-y", *options)

    return outcome_in_child(run)


@pytest.mark.parametrize("size", [pytest.param(0, marks=pytest.mark.slow), 300, 1500])
def test_a_limit_that_no_segment_fits_into(job, size):
    """Which file is the first to be too large depends on the format."""
    status, said = limited(job, size)
    assert status == 1 and len(said.splitlines()) == 1
    assert f"cannot write {job.output}" in said and f"the limit is {size:,} bytes" in said
    assert job.output.read_bytes() == OLD and not Parts(job.output).folder.exists()


def test_a_limit_that_the_whole_does_not_fit_into(whole, job):
    size = whole.output.stat().st_size - 100
    status, said = limited(job, size)
    assert status == 1
    assert f"cannot write {job.output} " in said and f"the limit is {size:,} bytes" in said
    assert job.output.read_bytes() == OLD
    assert len(Parts(job.output).numbers()) == 6
    assert [path.name for path in job.output.parent.glob(".*")] == []
    assert limited(job, 1 << 30, "--resume")[0] == 0
    assert_same_video(whole.output, job.output)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mount.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root mounts disks")
@pytest.mark.parametrize(
    "left",
    [
        pytest.param(0, marks=pytest.mark.slow),
        6_000,
        pytest.param(20_000, marks=pytest.mark.slow),
        28_000,
    ],
)
def test_a_full_disk(whole, small_disk, left):
    """Bytes are left for no segment, for some of them, or for all but not for the whole."""
    job = Job(whole.video, whole.spikes)
    output = small_disk / whole.output.name
    ballast = small_disk / "ballast"
    with ballast.open("wb") as file:
        blocks = ((1 << 20) - left) // 4096 - 2
        file.write(bytes(blocks * 4096))
    status, said = outcome_in_child(lambda: job.deblur("-y", output=output))
    assert status == 1 and "No space left on device" in said and "bytes are free" in said
    assert str(output) in said
    assert not output.exists()
    done = Parts(output).numbers()
    ballast.unlink()
    status, said = outcome_in_child(lambda: job.deblur("--resume", output=output))
    assert (status, said) == (0, "")
    assert_same_video(whole.output, output)
    assert [path.name for path in small_disk.iterdir()] == [output.name]
    assert len(done) < 7


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be nobody")
def test_a_folder_that_may_not_be_written(whole, tmp_path):
    def as_nobody() -> int:
        os.setuid(65534)
        return Job(whole.video, whole.spikes).deblur("-y", output=folder / "out.mp4")

    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "out.mp4").write_bytes(OLD)
    for parent in (whole.video, *whole.video.parents, *tmp_path.parents, tmp_path):
        if parent.owner() == "root" and parent.is_relative_to("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o755)
    status, said = outcome_in_child(as_nobody)
    assert status == 1 and "Permission denied" in said and str(folder) in said
    assert (folder / "out.mp4").read_bytes() == OLD
    assert [path.name for path in folder.iterdir()] == ["out.mp4"]
