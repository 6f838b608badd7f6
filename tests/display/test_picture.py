"""Pictures: a matrix as a PNG whose colours say what the numbers do."""

import base64
import io
import math
import random

import pytest
from PIL import Image

from hf_magics.display.parts import Heat
from hf_magics.display.picture import data_uri
from hf_magics.display.scale import ends, position, reduced


def picture(values, low, high) -> Image.Image:
    address = data_uri(Heat(values, low, high, ""), 1, 1)
    head, body = address.split(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(body))).convert("RGBA")


def colour(value, low, high):
    return picture(((value,),), low, high).getpixel((0, 0))


def test_diverging():
    """Below zero is blue, above is orange, zero is transparent, and equal distances look equal."""
    red, _, blue, opacity = colour(-2.0, -1.0, 2.0)
    assert blue > red
    assert opacity == 255
    red, _, blue, opacity = colour(2.0, -1.0, 2.0)
    assert red > blue
    assert opacity == 255
    assert colour(0.0, -1.0, 2.0)[3] == 0
    assert colour(-1.0, -1.0, 2.0)[3] == colour(1.0, -1.0, 2.0)[3] == pytest.approx(128, abs=2)


def test_sequential():
    """Where the scale has one sign, colour grows from the low end, on either side of zero."""
    for low, high in ((0.0, 1.0), (5.0, 6.0), (-6.0, -5.0)):
        assert colour(low, low, high)[3] == 0
        assert colour(high, low, high)[3] == 255


def test_not_a_number():
    """NaN has a colour that no number has; an infinity is an end of the scale."""
    missing = colour(math.nan, -1.0, 1.0)
    assert missing[3] == 255
    assert missing[:3] not in {colour(v / 10, -1.0, 1.0)[:3] for v in range(-10, 11)}
    assert colour(math.inf, -1.0, 1.0) == colour(1.0, -1.0, 1.0)
    assert colour(-math.inf, 0.0, 1.0) == colour(0.0, 0.0, 1.0)


def test_one_value_everywhere():
    """A constant matrix is in the middle of its scale."""
    assert colour(3.0, 3.0, 3.0)[3] == pytest.approx(128, abs=2)


def test_each_value_in_its_place():
    """Rows run down and columns run right, in sharp dots of one colour."""
    drawn = picture(((0.0, 1.0), (1.0, 0.0)), 0.0, 1.0)
    width, height = drawn.size
    assert width == height >= 12
    corners = [
        drawn.getpixel(p)[3]
        for p in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1))
    ]
    assert corners == [0, 255, 255, 0]
    assert len(drawn.getcolors()) == 2


def test_short_rows_are_filled():
    """A row with fewer values than the others ends in missing ones."""
    drawn = picture(((0.0, 1.0), (1.0,)), 0.0, 1.0)
    assert drawn.getpixel((drawn.width - 1, drawn.height - 1)) == colour(math.nan, 0.0, 1.0)


def test_nothing_to_draw():
    """An empty matrix has no picture."""
    assert data_uri(Heat((), 0, 1, ""), 9, 9) == data_uri(Heat(((),), 0, 1, ""), 9, 9) == ""


def test_small():
    """A picture of 32 × 32 noisy values is under 3 KiB, so that a page may have several."""
    noise = random.Random(0)
    values = tuple(tuple(noise.gauss(0, 1) for _ in range(32)) for _ in range(32))
    assert len(data_uri(Heat(values, -2, 2, ""), 96, 96)) < 3072


def test_reduced():
    """A large matrix becomes the means of its blocks, says so, and averages no NaN away."""
    values = tuple(tuple(float(row * 4 + column) for column in range(4)) for row in range(3))
    heat = Heat(values, 0, 11, "all")
    assert reduced(heat, 3, 4) is heat
    fewer = reduced(heat, 2, 2)
    assert fewer.values == ((2.5, 4.5), (8.5, 10.5))
    assert fewer.label == "all (means of up to 2 × 2 values)"
    holed = Heat(((math.nan, 1.0), (1.0, 1.0)), 0, 1, "")
    assert math.isnan(reduced(holed, 1, 1).values[0][0])


def test_scale():
    """A diverging scale reaches as far both ways; values beyond an end stand at it."""
    heat = Heat((), -1.0, 4.0, "")
    assert ends(heat) == (-4.0, 4.0)
    assert [position(heat, v) for v in (-9.0, -4.0, 0.0, 2.0, 9.0)] == [0, 0, 0.5, 0.75, 1]
