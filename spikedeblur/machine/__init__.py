"""The machine that computes: its devices, memory and threads, and the signals that it is sent."""
