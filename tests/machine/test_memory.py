"""Memory of large arrays that come and go."""

from __future__ import annotations

import subprocess
import sys

import pytest

PAGES_OF_NEW_ARRAYS = """
import resource, sys
import numpy as np
from spikedeblur.machine.memory import keep_freed
if "keep" in sys.argv:
    keep_freed()
np.full(1 << 24, 1.0, np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    np.full(1 << 24, 1.0, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_memory_kept_for_reuse_is_not_asked_for_again():
    def pages(*args):
        return int(
            subprocess.run(
                [sys.executable, "-c", PAGES_OF_NEW_ARRAYS, *args],
                text=True,
                capture_output=True,
                check=True,
            ).stdout
        )

    assert pages("keep") < 10 < pages()
