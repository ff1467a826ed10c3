"""Every fuzzing test as a whole keeps to a little memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.examples import EXAMPLES
from tests.hostile import memory_below


@pytest.fixture(scope="session", autouse=True)
def tables_of_hypothesis() -> None:
    """All characters, and the numbers that the modules name: made when the first is drawn, for
    which hypothesis takes 200 MB, and kept in .hypothesis.
    """

    @settings(
        max_examples=2,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(st.integers() | st.text(), min_size=300))
    def draw(_drawn: list[int | str]) -> None:
        pass

    draw()


@pytest.fixture(autouse=True)
def little_memory(request: pytest.FixtureRequest, tables_of_hypothesis: None) -> Iterator[None]:
    """At most MEGABYTES of its module more than before. To ask after each example takes longer
    than most of them. hypothesis itself remembers each that it has tried, in some 8 kB.
    """
    with memory_below(getattr(request.module, "MEGABYTES", 100) + EXAMPLES // 100):
        yield
