"""A recording to be spoilt."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def copy(recording, tmp_path) -> Path:
    """A folder with the recording's files, to be spoilt."""
    for path in (recording.blurry, recording.spikes, recording.spikes.with_suffix(".toml")):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path
