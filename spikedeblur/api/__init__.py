"""Every command as a function, for Python: what stands here is imported from `spikedeblur`."""
