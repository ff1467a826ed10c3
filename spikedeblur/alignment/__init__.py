"""Estimating from content alone how a video and a spike recording lie to each other."""

from spikedeblur.alignment.findings import Alignment, Errors, Known
from spikedeblur.alignment.recordings import align_files, align_rig

__all__ = ["Alignment", "Errors", "Known", "align_files", "align_rig"]
