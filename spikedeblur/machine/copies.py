"""Copies between the host and the device that computes, beside what it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


class Copies:
    """Brings arrays to `device` and back.

    On CUDA each direction has its own stream and pinned memory: one tile is on its way to the
    device and another on its way back while the network works on a third. Elsewhere copies are
    plain ones.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._to: torch.cuda.Stream | None = None
        self._back: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._to, self._back = torch.cuda.Stream(device), torch.cuda.Stream(device)

    def put(self, array: np.ndarray) -> Tensor:
        """Begin to copy an array to the device; to be used within `ahead`."""
        tensor = torch.from_numpy(array)
        if self._to is not None:
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=self._to is not None)

    def ahead(self, prepare: Callable[[], Sequence[Tensor]]) -> Sequence[Tensor]:
        """Run `prepare` on the device, without waiting for the computation there."""
        if self._to is None:
            return prepare()
        with torch.cuda.stream(self._to):
            tensors = prepare()
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._to)
        for tensor in tensors:
            tensor.record_stream(computing)  # its memory is not reused before that is done
        return tensors

    def get(self, tensor: Tensor) -> Callable[[], np.ndarray]:
        """Begin to copy a tensor to the host; what is returned waits for it and gives it."""
        if self._back is None:
            return tensor.cpu().numpy
        here = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        self._back.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._back):
            here.copy_(tensor, non_blocking=True)
        tensor.record_stream(self._back)
        arrived = self._back.record_event()

        def wait() -> np.ndarray:
            arrived.synchronize()
            array: np.ndarray = here.numpy()
            return array

        return wait
