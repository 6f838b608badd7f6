"""Numbers: one format for each kind, at a fixed precision."""

import math

import pytest

from hf_magics.display import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (90_868_376, "90.9 MB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (-2_500_000, "-2.5 MB"),
        (7 * 10**18, "7,000.0 PB"),
    ],
)
def test_size(value, text):
    """A size has decimal units, one decimal, and never reads 1000.0 of a unit."""
    assert numbers.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(512, "512"), (22_713_216, "22.7 M"), (135_000, "135.0 k"), (7_000_000_000, "7.0 B")],
)
def test_short_count(value, text):
    """A short count has no unit below a thousand."""
    assert numbers.short_count(value) == text


def test_count():
    """A count parts its thousands."""
    assert numbers.count(22_713_216) == "22,713,216"


@pytest.mark.parametrize(
    ("dimensions", "text"), [((3, 4, 384), "3 × 4 × 384"), ((5,), "5"), ((), "scalar")]
)
def test_shape(dimensions, text):
    """A shape reads as a product; one without dimensions is a scalar."""
    assert numbers.shape(dimensions) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234, "0.1234"),
        (-12.3456, "-12.3456"),
        (0, "0.0000"),
        (-0.0, "0.0000"),
        (1, "1.0000"),
        (0.00012345, "1.234e-04"),
        (-3.4e38, "-3.400e+38"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_number(value, text):
    """A float has four decimals, unless they would hide it."""
    assert numbers.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 µs"),
        (0.00035, "350 µs"),
        (0.0009996, "1 ms"),
        (0.0342, "34.2 ms"),
        (0.99951, "1 s"),
        (2.14, "2.14 s"),
        (59.96, "1 min 0 s"),
        (185, "3 min 5 s"),
        (7_260, "2 h 1 min"),
    ],
)
def test_seconds(value, text):
    """A time is in its own unit, at three figures."""
    assert numbers.seconds(value) == text


def test_plural():
    """A noun stands in the number that it has."""
    assert numbers.plural(1, "row") == "1 row"
    assert numbers.plural(2_000, "row") == "2,000 rows"
    assert numbers.plural(0, "match", "matches") == "0 matches"
