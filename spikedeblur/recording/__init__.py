"""The recording: when and where the frames and the spikes saw the scene."""
