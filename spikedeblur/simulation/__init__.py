"""Clips and recordings made of photographs or footage: motion, exposure, spikes."""
