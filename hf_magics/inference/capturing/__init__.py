"""Capturing: what the modules of a model give while a task runs it."""
