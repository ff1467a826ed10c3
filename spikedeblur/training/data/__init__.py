"""Training data: synthesised clips, recorded sequences in their layouts, batches."""
