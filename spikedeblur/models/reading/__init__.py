"""What the spikes of a clip say before anything is learnt: light, place, motion, candidates."""
