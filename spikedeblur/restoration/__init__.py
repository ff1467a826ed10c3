"""Restoration of frames: windows, tiles, the network or a classical method, blending."""
