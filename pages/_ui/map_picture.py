"""The shading of a map: all products of a large catalogue as one small picture. No streamlit."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

SIDE = 360  # cells along the longer side; the browser smooths between them
_FAINT, _FULL = 26, 150  # of 255: how much of its colour a cell of one product shows, a crowded one
_CROWDED = 99.5  # percentile of the cells: one heap of twins must not pale all others


@dataclass(frozen=True)
class Bounds:
    """The part of the plane that a map covers."""

    left: float
    right: float
    bottom: float
    top: float


def bounds(x: NDArray[np.float32], y: NDArray[np.float32]) -> Bounds:
    """Return what holds all points, with a little air around them."""
    if not len(x):
        return Bounds(-1.0, 1.0, -1.0, 1.0)
    left, right, bottom, top = (float(end) for end in (x.min(), x.max(), y.min(), y.max()))
    air = 0.02 * max(right - left, top - bottom) or 1.0
    return Bounds(left - air, right + air, bottom - air, top + air)


def shading(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    tones: NDArray[np.int32],
    colours: Sequence[str],
    within: Bounds,
) -> bytes:
    """Return a PNG of N points: a cell has the mean of its points' colours, a crowded one more.

    `tones` (N,) are places in `colours`, which are "#rrggbb". Row 0 is the top of `within`.
    """
    width, height = within.right - within.left, within.top - within.bottom
    unit = max(width, height) / SIDE
    columns, rows = max(1, round(width / unit)), max(1, round(height / unit))
    column = np.clip((x - within.left) / width * columns, 0, columns - 1).astype(np.int32)
    row = np.clip((within.top - y) / height * rows, 0, rows - 1).astype(np.int32)
    cell = (row * columns + column) * len(colours) + tones
    counts = np.bincount(cell, minlength=rows * columns * len(colours))
    counts = counts.reshape(rows, columns, len(colours))
    total = counts.sum(axis=2)
    palette = np.array([ImageColor.getrgb(colour) for colour in colours], np.float64)
    pixels = np.zeros((rows, columns, 4), np.uint8)
    pixels[..., :3] = counts @ palette / np.maximum(total, 1)[..., None]
    pixels[..., 3] = _strength(total)
    packed = BytesIO()
    Image.fromarray(pixels, "RGBA").save(packed, "PNG")
    return packed.getvalue()


def address(png: bytes) -> str:
    """Return a picture as an address that holds it."""
    return f"data:image/png;base64,{b64encode(png).decode()}"


def _strength(total: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 0..255 for each cell: nothing where nothing lies, then with the logarithm."""
    if not total.any():
        return np.zeros(total.shape)
    crowded = max(2.0, float(np.percentile(total[total > 0], _CROWDED)))
    strength = np.minimum(1.0, np.log(np.maximum(total, 1)) / np.log(crowded))
    return np.where(total > 0, _FAINT + (_FULL - _FAINT) * strength, 0)
