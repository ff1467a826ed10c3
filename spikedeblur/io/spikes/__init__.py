"""Recordings of spike cameras: files, layouts, cameras, sidecars."""
