"""How many examples every fuzzing test tries: the one place that says so.

    make fuzz EXAMPLES=2000     # or 20000, over night

The default suite tries a few, always the same ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

FEW = 30
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", FEW))


def fuzzed(share: float = 1.0) -> Callable[[Any], Any]:
    """Settings of a fuzzing test; `share` of the examples where each takes long."""
    return settings(
        max_examples=max(round(EXAMPLES * share), 1), deadline=None, database=None,
        derandomize=EXAMPLES == FEW, suppress_health_check=list(HealthCheck))
