"""Work on a video in segments: planned, shared, kept through interruptions, joined."""
