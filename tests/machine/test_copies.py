"""Copies to and from the device: plain without CUDA; with it, who waits for whom.

No GPU is needed: CUDA's streams are replaced by ones that note what is asked of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from spikedeblur.machine.copies import Copies

CPU = torch.device("cpu")


class Stream:
    """A stream of CUDA that notes into `log`, and is its own event."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def wait_stream(self, other: Stream) -> None:
        self.log.append(f"{self.name} waits for {other.name}")

    def record_event(self) -> Stream:
        return self

    def synchronize(self) -> None:
        self.log.append(f"host waits for {self.name}")


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch, log: list[str]) -> Copies:
    computing = Stream("computing", log)

    @contextmanager
    def current(stream: Stream) -> Iterator[None]:
        log.append(f"on {stream.name}")
        yield
        log.append("on computing")

    empty = torch.empty
    monkeypatch.setattr(torch.cuda, "stream", current)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: computing)
    monkeypatch.setattr(torch, "empty", lambda shape, dtype, pin_memory: empty(shape, dtype=dtype))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(
        torch.Tensor,
        "record_stream",
        lambda tensor, stream: log.append(f"memory is kept for {stream.name}"),
    )
    made = Copies(CPU)
    made._to, made._back = Stream("to", log), Stream("back", log)  # type: ignore[assignment]
    return made


def test_what_comes_does_not_wait_for_the_network_and_the_network_waits_for_it(
    copies: Copies, log: list[str]
) -> None:
    array = np.arange(6, dtype=np.float32)
    (there,) = copies.ahead(lambda: [copies.put(array)])
    np.testing.assert_array_equal(there.numpy(), array)
    assert log == [
        "on to",
        "on computing",
        "computing waits for to",
        "memory is kept for computing",
    ]


def test_what_goes_back_waits_for_the_network_and_the_host_for_it_only_when_it_is_used(
    copies: Copies, log: list[str]
) -> None:
    result = copies.get(torch.arange(5))
    assert log == ["back waits for computing", "on back", "on computing", "memory is kept for back"]
    np.testing.assert_array_equal(result(), np.arange(5))
    assert log[-1] == "host waits for back"


def test_without_cuda_copies_are_plain() -> None:
    copies, array = Copies(CPU), np.arange(4.0)
    (there,) = copies.ahead(lambda: [copies.put(array)])
    np.testing.assert_array_equal(copies.get(there * 2)(), array * 2)
