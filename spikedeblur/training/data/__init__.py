"""What a run learns from: synthesised clips, recorded sequences in their layouts, batches."""
