"""Small pictures: sizes, boxes, tints, bytes."""

import io

import numpy as np
import pytest
from PIL import Image, ImageColor

from hf_magics.inference.tasks.piped import pictures

RED, BLUE = (ImageColor.getrgb(one) for one in pictures.COLOURS[:2])


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def near(one, other, by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def test_a_picture_keeps_its_shape_and_is_never_enlarged():
    """The longest side is 320 pixels at most; a small image stays as it is."""
    assert pictures.shrunk(Image.new("RGB", (640, 480))).size == (320, 240)
    assert pictures.shrunk(Image.new("RGB", (20, 10))).size == (20, 10)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_pictures_fit_on_a_page_together(count):
    """However many, and of noise which compresses badly: JPEG files below the budget."""
    small = pictures.fitted([noise(1600, 1200)] * count, [f"image {at}" for at in range(count)])
    assert len(small) == count
    assert sum(len(one.data) for one in small) < 30_000
    assert all(Image.open(io.BytesIO(one.data)).format == "JPEG" for one in small)
    assert small[-1].label == f"image {count - 1}"


def test_boxes_are_drawn_where_they_are():
    """The lines of a box lie on its corners at the picture's scale, in a colour of its own."""
    image = Image.new("RGB", (640, 480), "white")
    drawn = pictures.boxed(image, [(100, 200, 300, 400), (400, 300, 200, 100)], ["a 0.9", "b 0.1"])
    assert drawn.size == (320, 240)
    assert drawn.getpixel((100, 200)) == RED
    assert drawn.getpixel((150, 170)) == RED
    assert drawn.getpixel((200, 100)) == BLUE
    assert drawn.getpixel((5, 5)) == (255, 255, 255)


def test_small_images_are_enlarged_for_their_labels():
    """Labels on a picture of 16 pixels could not be read."""
    assert pictures.boxed(Image.new("RGB", (16, 8)), [(0, 0, 4, 4)], ["a"]).size == (160, 80)
    assert pictures.masked(Image.new("RGB", (16, 8)), []).size == (160, 80)


def test_boxes_outside_the_picture_do_not_hurt():
    """A detector may give corners beyond the edges, or a box without a width."""
    image = Image.new("RGB", (64, 48))
    assert pictures.boxed(image, [(-32, -5, 900, 99), (3, 3, 3, 3)], ["a", ""]).size == (160, 120)


def test_masks_are_tinted_and_numbered():
    """Pixels under a mask take its colour, others stay; the share is that of its pixels."""
    image = Image.new("RGB", (320, 160), "white")
    left = Image.new("L", image.size)
    left.paste(255, (0, 0, 80, 160))
    drawn = pictures.masked(image, [left, Image.new("L", image.size)])
    tint = tuple(round(255 + (one - 255) * 140 / 255) for one in RED)
    assert near(drawn.getpixel((4, 4)), tint)
    assert drawn.getpixel((200, 80)) == (255, 255, 255)
    assert pictures.share(left) == 0.25
    assert pictures.share(Image.new("L", (4, 4))) == 0


def test_matches_are_lines_between_two_pictures():
    """Two images of different sizes stand side by side."""
    first, second = Image.new("RGB", (320, 160)), Image.new("RGB", (160, 320))
    both = pictures.joined(first, second, [(10, 10, 20, 10)])
    assert both.size == (480, 320)
    assert both.getpixel((100, 10)) == RED
