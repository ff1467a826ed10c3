"""What was recorded: when and where the frames and the spikes saw the scene."""
