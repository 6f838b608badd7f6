"""A heat map as a PNG in a ``data:`` address."""

from __future__ import annotations

import base64
import io
import math

from PIL import Image

from hf_magics.display.parts import Heat
from hf_magics.display.scale import diverges, position

_STEPS = 16  # opacities on each side of zero: finer ones look the same
_NOT_A_NUMBER = 2 * _STEPS + 1
_BLUE, _ORANGE, _MAGENTA = (38, 116, 214), (232, 119, 20), (214, 0, 180)
# zero is transparent and the hues are of middle lightness: they read on white and on black
_COLOURS = bytes((*_BLUE * _STEPS, *_ORANGE * (_STEPS + 1), *_MAGENTA))
_OPACITIES = bytes(
    [*(round(255 * abs(step) / _STEPS) for step in range(-_STEPS, _STEPS + 1)), 255],
)
_LARGEST_DOT = 12
_LEAST_SIDE = 12  # pixels: a vector is a strip, not a hairline


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
