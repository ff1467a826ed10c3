"""The recording as a notebook has it: arrays."""

from __future__ import annotations

import numpy as np
import pytest

from spikedeblur import SpikeStream, open_video


def pictures(path) -> np.ndarray:
    with open_video(path) as video:
        return np.stack([frame.rgb for frame in video])


@pytest.fixture(scope="session")
def arrays(recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blurry and sharp frames (T, H, W, 3), spikes (ticks, Hs, Ws)."""
    return (
        pictures(recording.blurry),
        pictures(recording.sharp),
        SpikeStream.open(recording.spikes)[:],
    )
