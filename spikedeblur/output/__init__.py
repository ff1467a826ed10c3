"""Output of sharp frames: written at once, or in segments that are kept, shared out and joined."""
