"""How far two tensors are apart: the numbers of plain torch in double precision."""

import math

import pytest
import torch

from hf_magics.inside import distances
from hf_magics.inside.distances import Distance, distance, rounded_to

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 1_000, 2**17 + 3])
@pytest.mark.parametrize("noise", [1.0, 1e-2, 1e-4])
def test_the_numbers_are_those_of_double_precision(dtype, size, noise):
    """Also of what is longer than a stretch, and where the cosine is nearly 1."""
    torch.manual_seed(0)
    one = torch.randn(size).to(dtype)
    other = (one.double() + noise * torch.randn(size).double()).to(dtype)
    far = distance(one, other)
    a, b = one.double(), other.double()
    assert far.largest == pytest.approx((a - b).abs().max().item(), rel=1e-6)
    assert far.relative == pytest.approx(((a - b).norm() / a.norm()).item(), rel=1e-5)
    assert 1 - far.cosine == pytest.approx(
        1 - torch.cosine_similarity(a, b, dim=0).item(), rel=1e-3, abs=1e-6 * noise**2 + 1e-12
    )
    assert far.differs == (not torch.equal(one, other))


def test_parts_add_up_to_the_whole():
    """The weights of a module count as one vector."""
    torch.manual_seed(0)
    pairs = [(torch.randn(size), torch.randn(size)) for size in (3, 50, 700)]
    whole = distance(*(torch.cat(side) for side in zip(*pairs, strict=True)))
    found = sum((distance(*pair) for pair in pairs), Distance())
    assert found.count == whole.count
    assert found.largest == whole.largest
    assert found.cosine == pytest.approx(whole.cosine, abs=1e-6)


def test_zeros_and_opposites_have_a_cosine():
    """Zeros are alike; of zero and something else the angle is no angle, and counts as right."""
    zero, one = torch.zeros(4), torch.ones(4)
    assert distance(zero, zero.clone()).cosine == 1
    assert distance(zero, zero.to(torch.bfloat16)).cosine == 1
    assert distance(zero, one).cosine == 0
    assert distance(zero, one).relative == math.inf
    assert distance(one, -one).cosine == -1
    assert math.isnan(distance(torch.zeros(0), torch.zeros(0)).cosine)


def test_the_same_bits_are_told_from_the_same_values():
    """-0.0 is 0.0 in value; a NaN is itself bit by bit; bfloat16 ones are float32 ones in value."""
    zero, nan = torch.zeros(3), torch.full((3,), math.nan)
    assert not distance(zero, -zero).same
    assert not distance(zero, -zero).differs
    assert distance(nan, nan.clone()).same
    assert distance(zero, nan).differs
    assert math.isnan(distance(zero, nan).largest)
    ones = distance(torch.ones(3), torch.ones(3).to(torch.bfloat16))
    assert (ones.same, ones.differs, ones.cosine) == (False, False, 1.0)


def test_squares_that_overflow_are_computed_again():
    """Values of 1e30 have a length, though not in single precision."""
    one = torch.full((8,), 1e30)
    far = distance(one, one * 2)
    assert far.relative == pytest.approx(1)
    assert far.cosine == pytest.approx(1)


def test_rows_that_do_not_lie_together_are_compared():
    """A transposed matrix is no stretch of memory."""
    torch.manual_seed(0)
    one = torch.randn(30, 20)
    assert not distance(one.T, one.T.clone()).differs
    assert distance(one.T, one.T.contiguous() + 1).largest == pytest.approx(1, rel=1e-5)


def test_a_rounding_is_known(monkeypatch):
    """To the dtype with fewer bits, whichever is first; one value that is no rounding is enough."""
    monkeypatch.setattr(distances, "_ON_CPU", 7)
    torch.manual_seed(0)
    one = torch.randn(100)
    other = one.to(torch.bfloat16)
    assert rounded_to(one, other) == rounded_to(other, one) == "bfloat16"
    other[99] += 1
    assert rounded_to(one, other) == ""
    assert rounded_to(one, one + 1) == ""
    assert rounded_to(one, torch.ones(100, dtype=torch.int8)) == ""
