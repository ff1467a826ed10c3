"""Limits on what is read, and checks of files from strangers; a reader may skip them."""
