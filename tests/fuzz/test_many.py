"""Every fuzzing test once more with 20,000 examples, others than the default ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.examples import EXAMPLES, MANY

FOLDER = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.skipif(EXAMPLES > 0, reason="FUZZ_EXAMPLES says how many")
@pytest.mark.parametrize(
    "module",
    sorted(path.name for path in FOLDER.glob("test_*.py") if path.name != Path(__file__).name),
)
def test_many_examples(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-o", "timeout=0", str(FOLDER / module)],
        check=False,
        capture_output=True,
        text=True,
        cwd=FOLDER.parents[1],
        env={**os.environ, "FUZZ_EXAMPLES": str(MANY)},
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
