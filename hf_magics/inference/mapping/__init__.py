"""A column, a list or a file through a model: windows, batches, answers, and a checkpoint."""
