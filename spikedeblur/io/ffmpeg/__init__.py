"""Videos through FFmpeg: read and written with PyAV, and whatever else lies in their containers."""
