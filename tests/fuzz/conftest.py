"""Every fuzzing test as a whole keeps to a little memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile import memory_below


@pytest.fixture(autouse=True)
def little_memory(request: pytest.FixtureRequest) -> Iterator[None]:
    """At most MEGABYTES of its module more than before. To ask after each example takes longer
    than most of them.
    """
    with memory_below(getattr(request.module, "MEGABYTES", 100)):
        yield
