"""Tasks that go through transformers' own ``pipeline``: images, sound, tables, documents."""
