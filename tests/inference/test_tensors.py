"""Summaries of tensors, against float64 and torch itself."""

import math

import pytest
import torch
from torch._tensor_str import printoptions
from transformers import DynamicCache, EncoderDecoderCache

from hf_magics.display import text
from hf_magics.display.parts import Page
from hf_magics.inference.tensor_pages import corners, tensor_table
from hf_magics.inference.tensors import (
    corner,
    heat,
    nbytes_held,
    summaries,
    summarise,
    walk,
)

NAN, INF = float("nan"), float("inf")


def some(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def check(tensor: torch.Tensor, rel: float = 1e-6) -> None:
    """Compare a summary with statistics computed in float64, on the finite values."""
    found = summarise("x", tensor)
    exact = tensor.detach().double()
    finite = exact[exact.isfinite()]
    assert found.shape == tuple(tensor.shape)
    assert found.dtype == str(tensor.dtype).removeprefix("torch.")
    assert found.nbytes == tensor.numel() * tensor.element_size()
    assert (found.nans, found.infs) == (int(exact.isnan().sum()), int(exact.isinf().sum()))
    assert (found.low, found.high) == (float(finite.min()), float(finite.max()))
    assert found.mean == pytest.approx(float(finite.mean()), rel=1e-12, abs=1e-12)
    assert found.std == pytest.approx(float(finite.std()), rel=rel)


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.float8_e4m3fn,
        torch.int64,
        torch.int8,
        torch.uint8,
        torch.bool,
    ],
    ids=str,
)
def test_statistics_of_every_dtype(dtype):
    """Min, max, mean and std are those of the same values in float64."""
    check((some(7, 33).abs() * 3).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_statistics_are_over_the_finite_values(dtype):
    """NaN and Inf are counted apart, and the rest is summed without them."""
    values = some(20, 30).to(dtype)
    values[0, :3] = torch.tensor([NAN, INF, -INF])
    values[7, 7] = NAN
    check(values)


@pytest.mark.parametrize("offset", [1e3, 1e5, 1e6, 1e7, 1e8, -1e6])
def test_a_large_offset_does_not_swallow_the_spread(offset):
    """Values far from zero keep their mean and std: to the fifth figure, where torch's float32 fails."""
    check(some(600, 700) * 3 + offset, rel=2e-5)


def test_a_mean_between_two_floats_gives_the_spread_about_it():
    """Where float32 can't hold the mean, the std is still the one about the true mean."""
    check(torch.tensor([1e8, 1e8 + 8] * 500))


def test_values_whose_squares_overflow_have_a_std():
    """A mask of float32's minimum among small numbers gives a finite std."""
    values = some(100)
    values[3] = torch.finfo(torch.float32).min
    check(values)


def test_a_constant_has_no_spread():
    """Equal values have a std of exactly zero, whatever their size."""
    for value in (0.1, 1e8 + 1, 60000.0):
        assert summarise("x", torch.full((1000,), value)).std == 0.0


def test_large_halves_do_not_overflow():
    """The sum of many halves is beyond what a half holds."""
    assert summarise("x", torch.full((10**5,), 60000.0, dtype=torch.float16)).mean == 60000.0


def test_shapes_and_strides():
    """Views give the same numbers as their copies, in any number of dimensions."""
    base = some(4, 5, 6, 7, 8)
    check(base)
    check(base.transpose(1, 3)[:, ::2])
    check(base[0, 0, 0].expand(9, 7, 8))
    check(some(5).requires_grad_())
    turned = base.transpose(0, 4)
    assert summarise("x", turned) == summarise("x", turned.contiguous())


def test_one_value_has_a_mean_and_no_std():
    """A scalar is its own min, max and mean; Bessel's correction leaves it no std."""
    found = summarise("loss", torch.tensor(2.5))
    assert (found.shape, found.low, found.high, found.mean) == ((), 2.5, 2.5, 2.5)
    assert math.isnan(found.std)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.empty(0, 3),
        torch.empty(2, 3, device="meta"),
        torch.ones(2, dtype=torch.complex64),
        torch.eye(3).to_sparse(),
    ],
)
def test_what_has_no_numbers_still_has_a_row(tensor):
    """Empty, meta, complex and sparse tensors show their shape and no statistics."""
    found = summarise("x", tensor)
    assert found.shape == tuple(tensor.shape)
    assert math.isnan(found.mean)
    assert (found.corner, found.heat) == ("", ())


def test_all_not_finite():
    """A tensor of NaN and Inf alone has counts and no statistics."""
    found = summarise("x", torch.tensor([NAN, INF, -INF]))
    assert (found.nans, found.infs) == (1, 2)
    assert all(math.isnan(one) for one in (found.low, found.high, found.mean, found.std))


def test_the_corner_is_what_torch_prints():
    """The values are torch's own text with three at each edge; small tensors print whole."""
    for tensor in (some(50, 60), some(5, 40, 30), torch.arange(5000), torch.tensor(3.0)):
        with printoptions(threshold=0, edgeitems=3):
            expected = str(tensor).splitlines()
        assert corner(tensor).splitlines()[:24] == expected[:24]
    assert corner(some(2, 2)) == str(some(2, 2))


def test_the_corner_of_many_dimensions_names_its_part():
    """Of five dimensions the first matrices are shown, and the text says which."""
    tensor = some(2, 2, 2, 3, 4)
    assert corner(tensor) == f"[0, 0] = {tensor[0, 0]}"


def test_torchs_print_options_are_left_alone():
    """Printing a corner changes nothing of what the user set."""
    torch.set_printoptions(precision=2, threshold=7)
    try:
        assert corner(torch.tensor([1.23456])) == "tensor([1.23])"
        assert str(torch.tensor([1.23456] * 3)) == "tensor([1.23, 1.23, 1.23])"
        assert "..." in str(torch.ones(8))
    finally:
        torch.set_printoptions(profile="default")


def test_the_heat_map_is_block_means():
    """Each cell is the mean of its block of the first matrix, in double precision."""
    tensor = some(3, 80, 96)
    blocks = tensor[0].double().reshape(8, 10, 32, 3).mean(dim=(1, 3))
    assert torch.allclose(torch.tensor(heat(tensor)).double(), blocks, atol=1e-6)


def test_the_heat_map_of_small_tensors_is_the_values():
    """Up to 8 by 32 values each cell is one of them; a vector is one row."""
    tensor = some(4, 5)
    assert heat(tensor) == tuple(map(tuple, tensor.tolist()))
    assert heat(tensor[0].half()) == (tuple(tensor[0].half().float().tolist()),)
    assert heat(torch.tensor([[True], [False]])) == ((1.0,), (0.0,))
    assert heat(torch.tensor([1e300], dtype=torch.float64)) == ((1e300,),)


def test_walk_enters_tuples_and_mappings():
    """Every leaf has the name by which Python reaches it; None is nothing."""
    one = torch.ones(1)
    tree = {"logits": one, "hidden_states": (one, (one, None)), "more": {"loss": one}, "x": None}
    assert [name for name, _ in walk(tree)] == [
        "logits",
        "hidden_states[0]",
        "hidden_states[1][0]",
        "more.loss",
    ]
    assert [name for name, _ in walk((one, [one]))] == ["output[0]", "output[1][0]"]
    assert [name for name, _ in walk(one)] == ["output"]


def a_cache(layers: int = 2) -> DynamicCache:
    cache = DynamicCache()
    for layer in range(layers):
        cache.update(some(1, 2, 3, 4), some(1, 2, 3, 4), layer)
    return cache


def test_caches_are_shown_by_their_size():
    """A cache is one leaf with the bytes of all of its keys and values."""
    (found,) = summaries({"past_key_values": a_cache()})
    assert (found.name, found.kind) == ("past_key_values", "DynamicCache")
    assert found.nbytes == 2 * 2 * (1 * 2 * 3 * 4) * 4
    assert found.words == "4 tensors of 1 × 2 × 3 × 4"
    (both,) = summaries({"past_key_values": EncoderDecoderCache(a_cache(), a_cache(1))})
    assert both.nbytes == 3 * 2 * 24 * 4


def test_bytes_held_count_each_storage_once():
    """A view holds its whole storage, and two names of one tensor hold it once."""
    big = torch.zeros(1000)
    assert nbytes_held({"a": big[:1], "b": big, "c": (big[5:],)}) == 4000
    assert nbytes_held({"a": big, "cache": a_cache()}) == 4000 + 4 * 24 * 4
    assert nbytes_held({"a": torch.empty(9, device="meta"), "n": 3}) == 0


def test_what_is_no_tensor_has_a_row_in_words():
    """Numbers and texts in an output are shown as they are."""
    (found,) = summaries({"steps": 3})
    assert (found.name, found.kind, found.words) == ("steps", "int", "3")


def test_whole_numbers_have_no_decimals_and_a_value_stands_under_its_name():
    """Of token IDs the largest is one; what torch prints keeps its columns, within a terminal."""
    ids = summarise("input_ids", torch.tensor([[101, 30_522], [0, 102]]))
    assert tensor_table([ids], 5, "", "").rows[0][4:7] == ("0", "30522", "7681.2500")
    states = summarise("a_name_of_some_length", some(3, 400))
    (fold,) = corners([states])
    drawn = text.render(Page("", (fold,)))
    assert f"\n# a_name_of_some_length\n{states.corner}" in drawn
    assert max(map(len, drawn.split("\n"))) <= 80
