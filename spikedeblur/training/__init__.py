"""Training: clips, losses, the loop, and a state to resume from."""
