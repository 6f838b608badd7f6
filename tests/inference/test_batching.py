"""Lengths to batches: every row once, within the budget, of rows about as long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_magics.errors import FitError
from hf_magics.inference.batching import halving, plan_batches

LENGTHS = st.lists(st.integers(1, 600), max_size=200)


@given(LENGTHS, st.integers(1, 4096))
def test_every_row_is_in_one_batch(lengths, budget):
    """None is lost and none is run twice."""
    batches = plan_batches(lengths, budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 4096))
def test_a_batch_is_within_the_budget(lengths, budget):
    """Padding included; only a row that is over it by itself is a batch of its own."""
    for batch in plan_batches(lengths, budget):
        width = max(lengths[row] for row in batch)
        assert width * len(batch) <= budget or len(batch) == 1


@given(LENGTHS, st.integers(1, 4096))
def test_the_longest_come_first(lengths, budget):
    """What does not fit shows at once, and the plan depends on nothing but the lengths."""
    batches = plan_batches(lengths, budget)
    in_order = [lengths[row] for batch in batches for row in batch]
    assert in_order == sorted(lengths, reverse=True)
    assert batches == plan_batches(list(lengths), budget)


@given(LENGTHS, st.integers(1, 4096))
def test_rows_that_may_not_be_padded_are_of_one_length(lengths, budget):
    """Each batch; and every row is in one."""
    batches = plan_batches(lengths, budget, mixed=False)
    assert all(len({lengths[row] for row in batch}) == 1 for batch in batches)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))


def test_rows_of_one_length_are_not_padded():
    """A batch that is half full ends where the rows become shorter."""
    batches = plan_batches([10] * 6 + [9] * 6, 100)
    assert batches == [tuple(range(6)), tuple(range(6, 12))]
    assert plan_batches([10] * 2 + [9] * 2, 100) == [(0, 1, 2, 3)]


def test_little_is_padded():
    """Lengths from 10 to 512 in batches of 2,048 tokens: under 3 % of it is padding."""
    lengths = [10 + (row * 997) % 503 for row in range(2_000)]
    batches = plan_batches(lengths, 2_048)
    padded = sum(max(lengths[row] for row in batch) * len(batch) for batch in batches)
    assert padded / sum(lengths) < 1.03


def test_a_batch_that_has_no_room_is_halved():
    """Each half goes on by itself, and the rows stay in their order."""
    split = []

    def run(rows):
        if len(rows) > 2:
            raise FitError("no room")
        return sum(rows)

    found = list(halving(tuple(range(7)), run, split.append))
    assert [rows for rows, _ in found] == [(0, 1), (2, 3), (4, 5), (6,)]
    assert [value for _, value in found] == [1, 5, 9, 6]
    assert split == [(0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3), (4, 5, 6)]


def test_a_row_that_has_no_room_by_itself_is_an_error():
    """There is nothing to halve."""

    def run(_rows):
        raise FitError("no room")

    with pytest.raises(FitError):
        list(halving((0, 1), run))
