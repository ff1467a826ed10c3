"""Bytes in and out: containers, codecs, spike files, pictures."""
