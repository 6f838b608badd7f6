"""Summaries of tensors of every kind and size, beside torch's own numbers."""

import math
import time
import tracemalloc

import pytest
import torch

from hf_magics.inference.sampling import MOST_VALUES, is_sampled, sample, summaries_of

REAL = {
    "float32": torch.randn(7, 9, 11),
    "float64": torch.randn(5, 3, dtype=torch.float64),
    "bfloat16": torch.randn(40, 40).bfloat16(),
    "float8_e4m3fn": torch.randn(30).to(torch.float8_e4m3fn),
    "int64": torch.randint(-50, 50, (6, 6)),
    "uint8": torch.arange(200, dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
}
NOT_FINITE = torch.tensor([1.0, float("nan"), float("inf"), -3.0, float("-inf"), float("nan")])


@pytest.mark.parametrize("dtype", REAL)
def test_the_numbers_are_torchs_own(dtype):
    tensor = REAL[dtype]
    (one,) = summaries_of("x", tensor)
    plain = tensor.double()
    assert (one.dtype, one.shape) == (dtype, tuple(tensor.shape))
    assert (one.low, one.high) == (plain.min().item(), plain.max().item())
    assert one.mean == pytest.approx(plain.double().mean().item(), abs=1e-9)
    assert one.std == pytest.approx(plain.double().std().item(), rel=1e-5)


def test_what_is_not_finite_is_counted_and_left_out():
    (one,) = summaries_of("x", NOT_FINITE)
    assert (one.nans, one.infs, one.low, one.high, one.mean) == (2, 2, -3.0, 1.0, -1.0)


def test_the_parts_of_a_complex_tensor():
    tensor = torch.randn(4, 5, dtype=torch.complex64)
    whole, real, imag = summaries_of("z", tensor)
    assert (whole.dtype, math.isnan(whole.low)) == ("complex64", True)
    assert (real.name, real.low) == ("z.real", tensor.real.min().item())
    assert (imag.name, imag.high) == ("z.imag", tensor.imag.max().item())


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", ["to_sparse", "to_sparse_csr", "to_sparse_csc"])
def test_a_sparse_tensor_has_the_values_that_it_stores(layout):
    tensor = getattr(torch.diag(torch.tensor([1.0, 2.0, 6.0])), layout)()
    whole, stored = summaries_of("s", tensor)
    assert (whole.shape, stored.shape) == ((3, 3), (3,))
    assert (stored.low, stored.high, stored.mean) == (1.0, 6.0, 3.0)
    assert "nnz=3" in whole.corner


@pytest.mark.filterwarnings("ignore:.*quantize")
def test_a_quantized_tensor_has_the_values_that_it_stands_for():
    tensor = torch.quantize_per_tensor(
        torch.tensor([[0.1, 0.52], [-1.0, 2.0]]), 0.5, 0, torch.qint8
    )
    whole, meant = summaries_of("q", tensor)
    assert (whole.dtype, whole.nbytes) == ("qint8", 4)
    assert (meant.low, meant.high) == (-1.0, 2.0)


@pytest.mark.parametrize("tensor", [torch.empty(0, 3), torch.empty(2, 3, device="meta")])
def test_where_there_are_no_values_there_are_no_numbers(tensor):
    (one,) = summaries_of("x", tensor)
    assert math.isnan(one.low)
    assert not is_sampled(one)


def test_of_a_very_large_tensor_there_is_a_sample():
    """A tensor of more values than any memory holds takes neither time nor memory."""
    tensor = torch.tensor([3.0]).expand(10**6, 10**6)
    tracemalloc.start()
    started = time.perf_counter()
    (one,) = summaries_of("x", tensor)
    assert time.perf_counter() - started < 5  # a guard: a thousandth of a second a million values
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()
    assert (one.shape, one.low, one.high, one.mean) == ((10**6, 10**6), 3.0, 3.0, 3.0)
    assert is_sampled(one)


@pytest.mark.parametrize("shape", [(10_007,), (100, 101), (3, 5_003), (20, 20, 25), (1, 9_000, 1)])
def test_a_sample_is_a_view_of_at_most_so_many_values(shape):
    tensor = torch.arange(math.prod(shape)).view(shape)
    found = sample(tensor, 1_000)
    assert 250 <= found.numel() <= 1_000
    assert found.data_ptr() == tensor.data_ptr()
    assert found.max() > 0.8 * tensor.max()  # from all of it


def test_a_sampled_complex_tensor_has_its_own_shape():
    tensor = torch.tensor([1 + 2j]).expand(MOST_VALUES * 2)
    for one in summaries_of("z", tensor):
        assert one.shape == (MOST_VALUES * 2,)
