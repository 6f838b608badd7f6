"""What a page is made of, and its two renderers. Knows nothing of models or IPython."""
