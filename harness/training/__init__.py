"""Training: the one loop, batches, checkpoints."""
