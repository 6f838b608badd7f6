"""Pictures for pages: small copies of images, with boxes drawn and masks tinted."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageColor, ImageDraw, ImageFont

from hf_magics.display.parts import Picture

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the original image."""

COLOURS = ("#2674d6", "#e87714", "#2ca02c", "#d600b4", "#8c564b", "#17becf", "#bcbd22", "#7f4fd0")
"""Those of the first boxes and masks, then round again."""

_SIDES = (320, 240, 176, 128, 96, 64, 48, 32)
_BYTES = 26_000  # of all pictures of a page: a third more in base64, below its budget with the rest
_MOST_PIXELS = 12  # of a square picture in one byte: plainer ones are rare
_QUALITY = 80
_LEAST_SIDE = 160  # pixels: labels on a smaller picture can't be read


def fitted(images: Sequence[Image.Image], labels: Sequence[str]) -> list[Picture]:
    """Return the images as small JPEG files that fit on a page together.

    All have the same longest side, 320 pixels at most; smaller images keep their size.

    Args:
        images: In RGB.
        labels: What each of them shows, in words.
    """
    files: list[bytes] = []
    small = list(images)
    for side in _SIDES:
        small = [shrunk(image, side) for image in small]
        if len(small) * side * side > _BYTES * _MOST_PIXELS:
            continue
        files = [_jpeg(image) for image in small]
        if sum(map(len, files)) <= _BYTES:
            break
    return [Picture(file, label) for file, label in zip(files, labels, strict=True)]


def shrunk(image: Image.Image, side: int = _SIDES[0]) -> Image.Image:
    """Return a copy of which no side is longer than so many pixels."""
    copy = image.copy()
    copy.thumbnail((side, side))
    return copy


def boxed(image: Image.Image, boxes: Sequence[Box], words: Sequence[str]) -> Image.Image:
    """Return a copy of a readable size with the boxes drawn, and their words at the corners."""
    copy, scale = _readable(image)
    brush = ImageDraw.Draw(copy)
    for at, (box, word) in enumerate(zip(boxes, words, strict=True)):
        left, top, right, bottom = (value * scale for value in box)
        corners = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        brush.rectangle(corners, outline=_colour(at), width=2)
        _write(brush, (corners[0], corners[1]), word, at)
    return copy


def masked(image: Image.Image, masks: Sequence[Image.Image]) -> Image.Image:
    """Return a copy of a readable size with each mask tinted, and its number at its middle.

    Args:
        image: In RGB.
        masks: Of the image's size, in mode L, white where they hold.
    """
    copy, _ = _readable(image)
    small = [mask.resize(copy.size, Image.Resampling.NEAREST) for mask in masks]
    for at, mask in enumerate(small):
        copy.paste(_colour(at), mask=mask.point(lambda value: 140 if value else 0))
    brush = ImageDraw.Draw(copy)
    for at, mask in enumerate(small):
        if place := _middle(mask):
            _write(brush, place, str(at + 1), at)
    return copy


def joined(
    first: Image.Image, second: Image.Image, lines: Sequence[tuple[float, float, float, float]]
) -> Image.Image:
    """Return two images side by side, and lines from a point of the first to one of the second.

    Args:
        first: The left one.
        second: The right one.
        lines: ``x, y`` in pixels of the first, then of the second.
    """
    sides = _readable(first), _readable(second)
    (left, of_left), (right, of_right) = sides
    size = (left.width + right.width, max(left.height, right.height))
    both = Image.new("RGB", size)
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    brush = ImageDraw.Draw(both)
    for at, (x, y, to_x, to_y) in enumerate(lines):
        end = (left.width + to_x * of_right, to_y * of_right)
        brush.line((x * of_left, y * of_left, *end), fill=_colour(at))
    return both


def share(mask: Image.Image) -> float:
    """Return the part of the pixels that a mask holds, from 0 to 1."""
    counts = mask.histogram()
    return 1 - counts[0] / max(1, sum(counts))


def _readable(image: Image.Image) -> tuple[Image.Image, float]:
    """Return a copy whose longest side is from 160 to 320 pixels, and by what it was scaled."""
    longest = max(image.size)
    scale = min(max(longest, _LEAST_SIDE), _SIDES[0]) / longest
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.convert("RGB").resize(size), scale


def _middle(mask: Image.Image) -> tuple[float, float] | None:
    box = mask.getbbox()
    return ((box[0] + box[2]) / 2 - 4, (box[1] + box[3]) / 2 - 6) if box else None


def _write(brush: ImageDraw.ImageDraw, place: tuple[float, float], word: str, at: int) -> None:
    font = ImageFont.load_default()
    width = brush.textlength(word, font=font)
    left = max(0, min(place[0], brush.im.size[0] - width - 4))
    top = max(0, min(place[1], brush.im.size[1] - _LINE))
    brush.rectangle((left, top, left + width + 3, top + _LINE), fill=_colour(at))
    brush.text((left + 2, top + 1), word, fill="white", font=font)


_LINE = 13  # pixels of one line in Pillow's own font


def _colour(at: int) -> tuple[int, int, int]:
    red, green, blue, *_ = ImageColor.getrgb(COLOURS[at % len(COLOURS)])
    return red, green, blue


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
