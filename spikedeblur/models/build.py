"""The class that a configuration asks for."""

from __future__ import annotations

from spikedeblur.errors import ConfigError
from spikedeblur.models.config import NetworkConfig
from spikedeblur.models.vrt_joint import VRTJoint
from spikedeblur.models.vrt_spike import VRTSpike


def build_model(config: NetworkConfig) -> VRTSpike:
    """Build a model with fresh weights for a configuration."""
    try:
        return VRTJoint(config) if config.MODEL.REFINER else VRTSpike(config)
    except ValueError as error:
        raise ConfigError(f"the configuration cannot be built ({error})") from None
