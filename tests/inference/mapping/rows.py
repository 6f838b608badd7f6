"""What the tests of a map run."""

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 30_522,
}


def rows_of(count: int) -> list[str]:
    """Texts of 1 to 60 words, no two the same."""
    return [f"row {row} " + "word " * (row * 37 % 60) for row in range(count)]
