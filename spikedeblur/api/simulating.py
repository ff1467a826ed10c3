"""Simulation from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from spikedeblur.api.calls import python_call
from spikedeblur.api.sources import exact_rate, exact_seconds
from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.settings import parse_homography
from spikedeblur.quantities import (
    Exposure,
    Lens,
    RateLike,
    TimeLike,
    parse_exposure,
    parse_lens,
    parse_matrix,
    parse_size,
    parse_transfer,
)
from spikedeblur.simulation.rig import RigSettings
from spikedeblur.simulation.simulation import Simulated, simulate_rig

__all__ = ["simulate"]


@python_call
def simulate(
    source: str | Path,
    output: str | Path,
    *,
    frames: int | None = None,
    size: tuple[int, int] | str | None = None,
    fps: RateLike | None = None,
    source_fps: RateLike | None = None,
    exposure: Exposure | TimeLike = "0.9x",
    rate_hz: RateLike = 20_000,
    spike_size: tuple[int, int] | str | None = None,
    offset_s: TimeLike = 0,
    homography: Sequence[float] | NDArray[Any] | str | None = None,
    drift_ppm: float = 0.0,
    video_lens: Lens | str | None = None,
    spike_lens: Lens | str | None = None,
    readout_s: TimeLike = 0,
    parallax: float = 0.0,
    transfer: str | None = None,
    overexposure: float = 0.0,
    bits: int = 1,
    cfa: str | None = None,
    threshold: float = 1.0,
    blur_px: float | None = None,
    gamma_space: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Simulated:
    """Make a recording by both cameras out of sharp footage, in the folder `output`.

    source: a sharp video, a photograph, or a folder of photographs. Sizes are (width, height) or
    WxH. source_fps: frames per second of the scene that the video shows, where it was slowed down.
    exposure: 0.5x of the frame interval, or seconds. offset_s, homography, drift_ppm,
    video_lens, spike_lens, readout_s, transfer: the rig, as in a sidecar. overexposure: stops by
    which the video is too bright. bits: of a spike pixel at a tick. cfa: its colour filters.
    parallax: pixels of the video by which the spike camera sees objects further right. progress:
    called with the
    frames done. The others are those of the command. Raises `SpikedeblurError`.
    """
    rate, open_for = exact_rate(fps), _exposure(exposure)
    if not open_for.relative and rate is None:
        raise UsageError(f"the frame rate is not known (exposure {open_for}) - give fps too")
    part = open_for.value if open_for.relative or rate is None else open_for.value * rate
    matrix = parse_matrix(homography) if isinstance(homography, str) else homography
    settings = RigSettings(
        frames=frames,
        size=parse_size(size) if isinstance(size, str) else size,
        fps=rate,
        rate_hz=exact_rate(rate_hz) or RigSettings.rate_hz,
        spike_size=parse_size(spike_size) if isinstance(spike_size, str) else spike_size,
        exposure=part,
        threshold=threshold,
        blur_px=blur_px,
        gamma_space=gamma_space,
        seed=seed,
        source_fps=exact_rate(source_fps),
        offset_s=exact_seconds(offset_s),
        homography=None if matrix is None else _checked(matrix),
        drift_ppm=drift_ppm,
        video_lens=parse_lens(video_lens) if isinstance(video_lens, str) else video_lens,
        spike_lens=parse_lens(spike_lens) if isinstance(spike_lens, str) else spike_lens,
        readout_s=exact_seconds(readout_s),
        parallax=parallax,
        transfer=None if transfer is None else parse_transfer(transfer),
        overexposure=overexposure,
        bits=bits,
        cfa=cfa,
    )
    told = progress or (lambda done: None)
    return simulate_rig(source, output, settings, overwrite=overwrite, progress=told)


def _exposure(value: Exposure | TimeLike) -> Exposure:
    if isinstance(value, Exposure):
        return value
    return parse_exposure(value if isinstance(value, str) else str(exact_seconds(value)))


def _checked(matrix: Sequence[float] | NDArray[Any]) -> tuple[float, ...]:
    if (found := parse_homography(matrix)) is None:
        raise UsageError("not a homography - give nine numbers, the rows of an invertible matrix")
    return found
