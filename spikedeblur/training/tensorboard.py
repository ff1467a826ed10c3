"""Curves and pictures for TensorBoard, where it is installed and asked for."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from spikedeblur.errors import ConfigError
from spikedeblur.training.events import Record


class Board:
    """Writes a run's records beside metrics.jsonl, from the step after `resumed_step` on.

    Raises `ConfigError` when TensorBoard is not installed.
    """

    def __init__(self, folder: Path, resumed_step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "LOG.TENSORBOARD is set (true) but TensorBoard is not installed - "
                "pip install tensorboard, or set it to false"
            ) from error
        self.writer = SummaryWriter(str(folder), purge_step=resumed_step + 1)

    def add(self, record: Record, triptych: Tensor | None) -> None:
        """Write a record's numbers, and where it was validated a picture (3, H, W) in [0, 1]."""
        for name, value in record.as_json().items():
            if name != "step":
                self.writer.add_scalar(name, value, record.step)
        if record.psnr is not None and triptych is not None:
            self.writer.add_image("blurry, restored, sharp", triptych, record.step)
        self.writer.flush()
