"""Chat: a model's conversation, turn by turn, through its own chat template."""
