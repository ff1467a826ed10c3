"""What a simulation will make and cost, from its first frames."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from spikedeblur.io.atomic import check_folder, check_output
from spikedeblur.machine.memory import peak_rss_mb
from spikedeblur.simulation.recording import CameraSettings
from spikedeblur.simulation.rig import RigSettings
from spikedeblur.simulation.simulation import FILES, planned, record_all

TRIED_FRAMES = 3  # frames, of which the first is slower than the others


@dataclass(frozen=True)
class SimulationPlan:
    """Frames that will be made, by which cameras, and what that costs about.

    output_mb: of all files, peak_mb: of memory, of 10^6 bytes.
    """

    frames: int
    cameras: CameraSettings
    seconds: float
    output_mb: float
    peak_mb: float

    def figures(self) -> dict[str, Any]:
        """All of it, with units in the names."""
        (width, height), (columns, rows) = self.cameras.size, self.cameras.spike_size
        return {
            "frames": self.frames,
            "width_px": width,
            "height_px": height,
            "fps": float(self.cameras.fps),
            "spike_width_px": columns,
            "spike_height_px": rows,
            "rate_hz": float(self.cameras.rate_hz),
            "seconds_estimate": float(f"{self.seconds:.3g}"),
            "peak_rss_mb_estimate": round(self.peak_mb),
            "output_mb_estimate": float(f"{self.output_mb:.3g}"),
        }

    def line(self) -> str:
        """Return the cost in a line."""
        return (
            f"{self.frames} frames: about {self.seconds:.2g} s, up to about {self.peak_mb:.3g} MB "
            f"of memory, about {self.output_mb:.3g} MB written"
        )


def plan_simulation(
    source: Path, output: Path, settings: RigSettings, *, overwrite: bool
) -> SimulationPlan:
    """Make the first frames in a folder that is removed. Raises what `simulate` would."""
    check_folder(output)
    if output.is_dir():
        for name in FILES:
            check_output(output / name, overwrite)
    frames, cameras = planned(source, settings)
    times: list[float] = []
    few = replace(settings, frames=max(min(TRIED_FRAMES, frames), 1))
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        made = record_all(
            source, Path(folder), few, progress=lambda _: times.append(time.perf_counter())
        )
        spent = time.perf_counter() - began
        written = sum(each.stat().st_size for each in Path(folder).iterdir()) / 1e6
    frame_s = median(late - early for early, late in pairwise(times)) if len(times) > 1 else spent
    return SimulationPlan(
        frames,
        cameras,
        spent + max(frames - made.frames, 0) * frame_s,
        written * frames / made.frames,
        peak_rss_mb(),
    )
