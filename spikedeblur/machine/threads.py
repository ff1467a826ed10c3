"""How many threads of the processor are used."""

from __future__ import annotations

import os
import sys

from spikedeblur.errors import UsageError
from spikedeblur.vocabulary import MOST_THREADS

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def limit_threads(threads: int | None) -> None:
    """Let what computes use no more threads than that, whether it is loaded or will be; None: all.

    numpy's libraries count theirs when they are loaded, so that for them it has to be called first.
    """
    if threads is None:
        return
    for name in VARIABLES:
        os.environ[name] = str(threads)
    if "torch" in sys.modules:
        use_threads(threads)


def use_threads(threads: int | None) -> None:
    """Let torch use so many threads; None: as it does. Raises `UsageError` for no such number."""
    if threads is None:
        return
    if not 1 <= threads <= MOST_THREADS:
        raise UsageError(f"no such number of threads ({threads} seen) - give 1 to {MOST_THREADS}")
    import torch

    torch.set_num_threads(threads)
