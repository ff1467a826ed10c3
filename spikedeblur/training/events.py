"""Events that a training run reports to its caller, who decides how to show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from spikedeblur.quantities import counted


@dataclass(frozen=True)
class Started:
    """What a run is going to do, before its first step.

    found: the clips, in words; validation_clips: how many are measured. parameters: of the model.
    clips, frames, side_px: of a step, in all `processes`. step: those already taken, of `steps`.
    """

    found: str
    validation_clips: int
    parameters: int
    device: str
    precision: str
    threads: int
    processes: int
    clips: int
    frames: int
    side_px: int
    step: int
    steps: int

    def line(self) -> str:
        """Return it in a line."""
        threads = counted(self.threads, "thread")
        many = f", {self.processes} processes" if self.processes > 1 else ""
        return (
            f"{self.found}, validated on {self.validation_clips} clips; "
            f"{self.parameters / 1e6:.3g} million parameters on {self.device}, {self.precision}, "
            f"{threads}{many}; steps {self.step + 1} to {self.steps}, each of {self.clips} clips "
            f"of {self.frames} frames of {self.side_px}x{self.side_px}"
        )


@dataclass(frozen=True)
class StepDone:
    """One optimiser step was taken; `loss` is of this step alone."""

    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class Validated:
    """`done` of `total` validation clips of this process have been measured."""

    done: int
    total: int


@dataclass(frozen=True)
class Record:
    """One line of metrics.jsonl; means are over the steps since the previous line.

    `seconds` is the time of one step (validation and saving excluded), `wait` the fraction of it
    spent waiting for clips. PSNR (dB) and SSIM are of the averaged weights, over the frames of
    the validation set; `blurry_psnr` is what doing nothing gives there.
    """

    step: int
    loss: float
    lr: float
    seconds: float
    wait: float
    psnr: float | None = None
    ssim: float | None = None
    blurry_psnr: float | None = None

    def as_json(self) -> dict[str, float]:
        """Return the fields that have a value."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Saved:
    """Everything needed to resume at `step` is on the disk."""

    step: int


Event = Started | StepDone | Validated | Record | Saved
Report = Callable[[Event], None]
