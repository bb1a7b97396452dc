"""Pre-training: texts in batches, the loss, the trainer."""
