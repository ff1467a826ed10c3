"""How many examples every fuzzing test tries: the one place that says so.

    make fuzz                   # 20,000 each, for hours; so do the slow tests
    make fuzz EXAMPLES=5000     # or as many as there is time for

The default suite tries 2,000 of each kind of input, fewer where each takes long, and always the
same ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

MANY = 20_000
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 0))


def fuzzed(default: int = 2000) -> Callable[[Any], Any]:
    """Settings of a fuzzing test; `default` examples, unless the environment wants so many."""
    return settings(
        max_examples=EXAMPLES or default,
        deadline=None,
        database=None,
        derandomize=not EXAMPLES,
        suppress_health_check=list(HealthCheck),
    )
