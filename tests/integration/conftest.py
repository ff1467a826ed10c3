"""A job that is done, and one to be done."""

from __future__ import annotations

import pytest

from tests.integration.killing import Job, make_job


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
