"""Agreement of spikes and video: checked before the first frame, and watched after it."""

from spikedeblur.agreement.check import check_spikes
from spikedeblur.agreement.finding import Finding
from spikedeblur.agreement.verdict import Agreement

__all__ = ["Agreement", "Finding", "check_spikes"]
