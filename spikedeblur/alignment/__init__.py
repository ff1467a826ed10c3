"""Estimating from content alone how a video and a spike recording lie to each other."""

from spikedeblur.alignment.estimation import align
from spikedeblur.alignment.findings import Alignment, Errors, Known

__all__ = ["Alignment", "Errors", "Known", "align"]
