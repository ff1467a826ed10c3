"""Threads: no more than the cores that this process is given."""

from __future__ import annotations

import os

import pytest
import torch

from spikedeblur.machine import threads
from spikedeblur.machine.threads import limit_threads, usable_cores, use_threads


@pytest.fixture
def group(tmp_path, monkeypatch):
    """An empty control group, eight cores, no variables, and torch's threads put back after."""
    monkeypatch.setattr(threads, "CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for name in threads.VARIABLES:
        monkeypatch.setenv(name, "")
    before = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1)],
)
def test_a_quota_counts_in_whole_cores(group, text, cores):
    (group / "cpu.max").write_text(f"{text}\n")
    assert usable_cores() == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("300000", 3), ("nothing", 8)])
def test_the_first_kind_of_control_groups_is_read(group, quota, cores):
    (group / "cpu").mkdir()
    (group / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (group / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert usable_cores() == cores


def test_affinity_alone_counts_where_there_is_no_group(group):
    assert usable_cores() == 8


def test_the_quota_holds_unless_threads_are_asked_for(group, monkeypatch):
    (group / "cpu.max").write_text("300000 100000")
    use_threads(None)
    assert torch.get_num_threads() == 3
    use_threads(1)
    assert torch.get_num_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    use_threads(None)
    assert torch.get_num_threads() == 1  # as it was told


def test_libraries_that_are_loaded_later_are_told(group):
    (group / "cpu.max").write_text("300000 100000")
    limit_threads(None)
    assert {os.environ[name] for name in threads.VARIABLES} == {"3"}
