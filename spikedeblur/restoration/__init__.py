"""How a frame is restored: windows, tiles, the network or a classical method, blending."""
