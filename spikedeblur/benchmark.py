"""Quality, speed and memory of the methods, on cases with ground truth."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikedeblur.errors import InputError
from spikedeblur.io.video import Reader, open_video
from spikedeblur.io.video_info import VideoFrame
from spikedeblur.memory import peak_rss_mb, reset_peak
from spikedeblur.metrics import frame_psnr, frame_ssim, temporal_error
from spikedeblur.pipeline import Deblurrer
from spikedeblur.sample import NAME, make_sample

BLURRY = "blurry"
"""The method that does nothing: what the others are to be better than."""


@dataclass(frozen=True)
class Result:
    """One method on one case; means over the frames, None where there is no ground truth.

    psnr: dB. temporal: `metrics.temporal_error`. seconds_per_frame: of the method alone, decoding
    included. peak_rss_mb: largest resident memory of the process meanwhile.
    """

    case: str
    method: str
    psnr: float | None
    ssim: float | None
    temporal: float | None
    seconds_per_frame: float
    peak_rss_mb: float

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Case:
    """A folder as `simulate` writes it: blurry.*, spikes.dat with its sidecar, perhaps sharp.*."""

    name: str
    blurry: Path
    spikes: Path
    sharp: Path | None

    @classmethod
    def of_folder(cls, folder: Path) -> Case:
        """Find the files of a case. Raises `InputError` if blurry video or spikes are missing."""
        blurry, sharp = _only(folder, "blurry"), _only(folder, "sharp")
        spikes = folder / "spikes.dat"
        if blurry is None or not spikes.is_file():
            raise InputError(f"{folder} is no case (it needs blurry.* and spikes.dat) - make one "
                             "with spikedeblur simulate")
        return cls(folder.resolve().name, blurry, spikes, sharp)


def bundled_case(folder: Path) -> Case:
    """The bundled sample, recorded into `folder`, since it is drawn where it is wanted."""
    make_sample(folder)
    return replace(Case.of_folder(folder), name=NAME)


def _only(folder: Path, stem: str) -> Path | None:
    found = sorted(path for path in folder.glob(f"{stem}.*") if path.suffix != ".toml")
    return found[0] if found else None


def measure(case: Case, method: str, deblurrer: Deblurrer | None) -> Result:
    """Run one method over a case; `deblurrer` None stands for the blurry video itself.

    Raises `InputError` if blurry and sharp video do not have the same frames.
    """
    reset_peak()
    with ExitStack() as stack:
        blurry: Reader = open_video(case.blurry)
        stack.enter_context(blurry)
        frames: Iterable[VideoFrame] = blurry
        if deblurrer is not None:
            shown, exposures = deblurrer.open_spikes(blurry, case.spikes)
            frames = deblurrer.frames(shown, exposures)
        sharp: Iterator[VideoFrame] | None = None
        if case.sharp is not None:
            truth: Reader = open_video(case.sharp)
            stack.enter_context(truth)
            sharp = iter(truth)
        clock, score = Stopwatch(frames), _Score()
        for frame in clock:
            if sharp is not None:
                score.add(frame, next(sharp, None), case)
    return Result(case.name, method, *score.means(), clock.seconds / max(clock.frames, 1),
                  round(peak_rss_mb(), 1))


def machine(device: torch.device | str = "cpu") -> dict[str, Any]:
    """What the figures were measured on."""
    return {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count(),
            "threads": torch.get_num_threads(), "device": str(device),
            "python": platform.python_version(), "torch": torch.__version__}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


class Stopwatch:
    """Iterates over frames and adds up the time it takes to get them."""

    def __init__(self, frames: Iterable[VideoFrame]) -> None:
        self._frames = iter(frames)
        self.frames = 0
        self.seconds = 0.0

    def __iter__(self) -> Iterator[VideoFrame]:
        while True:
            began = time.perf_counter()
            frame = next(self._frames, None)
            self.seconds += time.perf_counter() - began
            if frame is None:
                return
            self.frames += 1
            yield frame


class _Score:
    """Means of the metrics, holding two frames."""

    def __init__(self) -> None:
        self._psnr: list[float] = []
        self._ssim: list[float] = []
        self._temporal: list[float] = []
        self._last: tuple[torch.Tensor, torch.Tensor] | None = None

    def add(self, restored: VideoFrame, sharp: VideoFrame | None, case: Case) -> None:
        """Count one frame against its ground truth."""
        if sharp is None or sharp.rgb.shape != restored.rgb.shape:
            raise InputError(f"blurry and sharp video of {case.name} differ in frames or size - "
                             "make the case anew with spikedeblur simulate")
        one, other = _tensor(restored.rgb), _tensor(sharp.rgb)
        self._psnr.append(float(frame_psnr(one, other)))
        if min(one.shape[-2:]) > 10:
            self._ssim.append(float(frame_ssim(one, other)))
        if self._last is not None:
            pair = torch.cat([self._last[0], one]), torch.cat([self._last[1], other])
            self._temporal.append(float(temporal_error(*pair)))
        self._last = one, other

    def means(self) -> tuple[float | None, float | None, float | None]:
        """PSNR, SSIM, temporal; None where nothing was measured."""
        psnr, ssim, temporal = (sum(values) / len(values) if values else None
                                for values in (self._psnr, self._ssim, self._temporal))
        return psnr, ssim, temporal


def _tensor(rgb: np.ndarray) -> torch.Tensor:
    scaled = rgb.astype(np.float32) / np.float32(np.iinfo(rgb.dtype).max)
    return torch.from_numpy(scaled).permute(2, 0, 1)[None]
