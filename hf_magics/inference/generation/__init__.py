"""Writing: prompts to text by a model's own ``generate``, each token with its probability."""
