"""Shapes and textures as integer fields: how far inside a shape each point is.

Lengths are in 1/16 of a pixel, int32. Every shape takes coordinates `x`, `y` [n, H, W] relative to its centre, its `size`
[n, 1, 1] (half its width) and, where it is a texture, its `period` [n, 1, 1]. Shapes do not change when mirrored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Field: TypeAlias = npt.NDArray[np.int32]
Shape: TypeAlias = Callable[[Field, Field, Field, Field], Field]

UNIT = 16
"""Of a pixel."""


def disc(x: Field, y: Field, size: Field, _: Any = None) -> Field:
    """A filled circle. (r^2 - d^2) / 2r is r - d near the edge, and needs no square root."""
    return _over_twice(size * size - x * x - y * y, size)


def ring(x: Field, y: Field, size: Field, _: Any = None) -> Field:
    """A circle drawn with a line of 1/4 of its size."""
    middle = size - (size >> 2)
    return (size >> 2) - np.abs(disc(x, y, middle))


def square(x: Field, y: Field, size: Field, _: Any = None) -> Field:
    """A filled square of nearly the area of the disc."""
    return size - (size >> 3) - np.maximum(np.abs(x), np.abs(y))


def diamond(x: Field, y: Field, size: Field, _: Any = None) -> Field:
    """A square on its corner."""
    depth: Field = ((size + (size >> 2) - np.abs(x) - np.abs(y)) * 181) >> 8  # 181/256 = 1/sqrt(2)
    return depth


def triangle(x: Field, y: Field, size: Field, _: Any = None) -> Field:
    """An equilateral triangle that points up; y grows downwards."""
    inner = (size * 5) >> 3
    sides: Field = ((np.abs(x) * 222) >> 8) - (y >> 1)  # 222/256 = sqrt(3)/2
    return inner - np.maximum(y, sides)


def cross(x: Field, y: Field, size: Field, _: Any = None) -> Field:
    """A plus sign."""
    wide, high = np.abs(x), np.abs(y)
    arm: Field = (size >> 2) + (size >> 4) - np.minimum(wide, high)
    return np.minimum(size - np.maximum(wide, high), arm)


def rows(x: Field, y: Field, size: Field, period: Field) -> Field:
    """Horizontal stripes in a disc."""
    return np.minimum(_wave(y, period), disc(x, y, size))


def columns(x: Field, y: Field, size: Field, period: Field) -> Field:
    """Vertical stripes in a disc."""
    return np.minimum(_wave(x, period), disc(x, y, size))


def checks(x: Field, y: Field, size: Field, period: Field) -> Field:
    """A checkerboard in a disc."""
    across, down = _wave(x, period), _wave(y, period)
    board: Field = np.minimum(np.abs(across), np.abs(down)) * np.sign(across) * np.sign(down)
    return np.minimum(board, disc(x, y, size))


def dots(x: Field, y: Field, size: Field, period: Field) -> Field:
    """Small discs on a square grid, in a disc."""
    half = period >> 1
    small = (period * 5) >> 4
    return np.minimum(disc(_modulo(x, period) - half, _modulo(y, period) - half, small), disc(x, y, size))


SHAPES: tuple[Shape, ...] = (disc, ring, square, diamond, triangle, cross, rows, columns, checks, dots)
"""In the order of the classes."""


def coverage(field: Field) -> npt.NDArray[np.int16]:
    """How much of a pixel is covered, 0..16, by a shape that it is `field` deep in: an edge is one pixel soft."""
    return np.clip(field + UNIT // 2, 0, UNIT).astype(np.int16)


def _wave(along: Field, period: Field) -> Field:
    """Stripes: positive in one half of each period and negative in the other."""
    return (period >> 2) - np.abs(_modulo(along, period) - (period >> 1))


def _modulo(along: Field, period: Field) -> Field:
    """`along` modulo `period`, by a reciprocal: integer division is an order of magnitude slower."""
    shifted = along + (period << 4)  # positive, and small enough for the product to fit
    quotient = (shifted * ((1 << 19) // period)) >> 19  # or one less than the true one
    rest = shifted - quotient * period
    remainder: Field = rest - period * (rest >= period)
    return remainder


def _over_twice(number: Field, size: Field) -> Field:
    """`number` / (2 `size`), by a reciprocal."""
    quotient: Field = (number * ((1 << 13) // size)) >> 14
    return quotient
