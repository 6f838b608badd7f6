"""A heat map as a PNG in a ``data:`` address."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

from PIL import Image

from hf_magics.display.parts import Heat
from hf_magics.display.scale import diverges, position

_STEPS = 16  # opacities on each side of zero: finer ones look the same
_NOT_A_NUMBER = 2 * _STEPS + 1
_GREY = _NOT_A_NUMBER + 1
_BLUE, _ORANGE, _MAGENTA = (38, 116, 214), (232, 119, 20), (214, 0, 180)
# zero is transparent and the hues are of middle lightness: they read on white and on black
_COLOURS = bytes((*_BLUE * _STEPS, *_ORANGE * (_STEPS + 1), *_MAGENTA, *(128, 128, 128)))
_OPACITIES = bytes(
    [*(round(255 * abs(step) / _STEPS) for step in range(-_STEPS, _STEPS + 1)), 255, 110],
)
_LARGEST_DOT = 12
_LINE = 1  # pixel between two maps
_LEAST_SIDE = 12  # pixels: a vector is a strip, not a hairline


Map = Sequence[Sequence[float]]


def data_uri(heat: Heat, width: int, height: int) -> str:
    """The address of a picture of at most about ``width`` by ``height`` pixels; ``""`` if empty.

    Small matrices are enlarged in the file, each value a sharp dot: no style has to survive for
    the picture to be seen.
    """
    columns, rows = max(map(len, heat.values), default=0), len(heat.values)
    if not columns:
        return ""
    dots = Image.frombytes("P", (columns, rows), _indexes(heat, columns))
    dots.putpalette(_COLOURS)
    dot = max(1, min(_LARGEST_DOT, width // columns, height // rows))
    size = (columns * _at_least(dot, columns), rows * _at_least(dot, rows))
    picture = dots.resize(size, Image.Resampling.NEAREST)
    return "data:image/png;base64," + base64.b64encode(_png(picture)).decode("ascii")


def small_multiples(maps: Sequence[Map], side: int) -> bytes:
    """A PNG of maps of one size with values from 0 to 1, side by side, each ``side`` pixels wide.

    A grey line parts them; 0 is transparent, 1 is full.
    """
    drawn = [_map(one, side) for one in maps]
    height = max(one.height for one in drawn)
    step = max(one.width for one in drawn) + _LINE
    strip = Image.new("P", (step * len(drawn) + _LINE, height + 2 * _LINE), _GREY)
    strip.putpalette(_COLOURS)
    for at, one in enumerate(drawn):
        strip.paste(one, (at * step + _LINE, _LINE))
    return _png(strip)


def _map(rows: Map, side: int) -> Image.Image:
    columns = len(rows[0])
    steps = [_STEPS + round(_STEPS * max(0.0, min(1.0, one))) for row in rows for one in row]
    dots = Image.frombytes("P", (columns, len(rows)), bytes(steps))
    dot = max(1, side // max(columns, len(rows)))
    return dots.resize((columns * dot, len(rows) * dot), Image.Resampling.NEAREST)


def _at_least(dot: int, length: int) -> int:
    return max(dot, -(-_LEAST_SIDE // length))


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=_OPACITIES, compress_level=9)
    return file.getvalue()


def _indexes(heat: Heat, columns: int) -> bytes:
    # a diverging scale takes all colours, any other the half that grows from transparent
    first, steps = (0, 2 * _STEPS) if diverges(heat) else (_STEPS, _STEPS)
    missing = bytes([_NOT_A_NUMBER])
    return b"".join(
        bytes(_index(position(heat, value), first, steps) for value in row).ljust(columns, missing)
        for row in heat.values
    )


def _index(along: float, first: int, steps: int) -> int:
    return _NOT_A_NUMBER if math.isnan(along) else first + round(steps * along)
