"""Inspection of files and recordings, before anything is made of them."""
