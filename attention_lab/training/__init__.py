"""Training: objectives, one pure step, one loop with hooks, checkpoints."""
