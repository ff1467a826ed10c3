"""What the spikes say of a frame before anything is learnt."""
