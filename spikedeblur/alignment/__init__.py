"""Estimating from content alone how a video and a spike recording lie to each other."""

from spikedeblur.alignment.estimation import Alignment, Known, align

__all__ = ["Alignment", "Known", "align"]
