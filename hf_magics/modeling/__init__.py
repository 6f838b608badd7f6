"""The nouns: models and their checkpoints. Imported only when a model is wanted."""
