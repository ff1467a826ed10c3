"""How many threads of the processor are used."""

from __future__ import annotations

import os
import sys

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def limit_threads(threads: int | None) -> None:
    """Let what computes use no more threads than that, whether it is loaded or will be; None: all.

    numpy's libraries count theirs when they are loaded, so that for them it has to be called first.
    """
    if threads is None:
        return
    for name in VARIABLES:
        os.environ[name] = str(threads)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)
