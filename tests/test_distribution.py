"""What is handed out: `make dist`, and the wheel away from this tree."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """The folder with wheel and sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = ["make", "dist", f"DIST={folder}", f"PYTHON={sys.executable}"]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


@pytest.mark.slow
def test_wheel_and_sdist_hold_the_same_files_of_the_package(packages):
    """Everything beside the code, too: weights, configurations, the page of reports."""
    (wheel,), (sdist,) = packages.glob("*.whl"), packages.glob("*.tar.gz")
    tracked = subprocess.run(
        ["git", "ls-files", "spikedeblur"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    wanted = set(tracked.stdout.split())
    assert "spikedeblur/weights/small.safetensors" in wanted
    with ZipFile(wheel) as archive:
        assert wanted == {name for name in archive.namelist() if name.startswith("spikedeblur/")}
    with tarfile.open(sdist) as archive:
        assert wanted <= {name.partition("/")[2] for name in archive.getnames()}


@pytest.mark.slow
def test_the_wheel_deblurs_away_from_the_checkout(packages):
    """Without network: what it needs is borrowed from the environment of the tests."""
    (wheel,) = packages.glob("*.whl")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PYTHON": sys.executable,
        "DEPENDENCIES": sysconfig.get_path("purelib"),
    }
    done = subprocess.run(
        [ROOT / ".ci" / "smoke", wheel], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "wrote net.mkv: 20 frames" in done.stderr
