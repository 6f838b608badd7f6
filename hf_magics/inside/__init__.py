"""Looking inside: the layers of a model, and what they compute."""
