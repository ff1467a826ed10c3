"""Videos through FFmpeg: read and written with PyAV, and what else lies in their containers."""
