"""Palettes and patterns: what a style family is dyed and printed with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]
Grid = NDArray[np.float32]


def rgb(code: str) -> Colour:
    """Return the colour of a hexadecimal code such as "3d5a80"."""
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return `share` (0..1) of the second colour in the first."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def tone(colour: Colour, factor: float) -> Colour:
    """Return the colour darkened (factor < 1) or lightened towards white (factor > 1)."""
    if factor <= 1:
        return mix((0, 0, 0), colour, factor)
    return mix(colour, (255, 255, 255), min(1.0, factor - 1))


def brightness(colour: Colour) -> float:
    """Return perceived brightness, 0 (black) to 1 (white)."""
    return (0.30 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]) / 255


# Main colour, second, third: chosen to go together in any of the patterns.
PALETTES: tuple[tuple[Colour, Colour, Colour], ...] = tuple(
    (rgb(a), rgb(b), rgb(c))
    for a, b, c in (
        ("f4f1ea", "27425f", "c8553d"),
        ("2f4858", "e9e4d8", "d9a441"),
        ("c8553d", "f6e7d8", "588b8b"),
        ("8a9a5b", "f2ecd9", "4b5d3a"),
        ("e3b7a0", "fdf6f0", "9c5b4b"),
        ("3d5a80", "e0eaf2", "ee6c4d"),
        ("22252b", "d8d5cf", "b0413e"),
        ("d9a441", "fff6e0", "3b3a36"),
        ("7d3c54", "f3dfe2", "d9a5b3"),
        ("a7bed3", "fbfbf8", "3a5a7a"),
        ("f2c6cf", "fffaf8", "b5577a"),
        ("4f6d5c", "e9efe6", "c9a66b"),
        ("b9b4ab", "f7f5f1", "5c5852"),
        ("6d597a", "efe6f0", "e5989b"),
        ("1f6f78", "e4f1ef", "f2a65a"),
        ("cfd8c3", "fbfdf6", "6b7f5a"),
        ("8c5e3c", "f4e8d8", "33261d"),
        ("b23a48", "fbeceb", "2d2a32"),
        ("e8dcc4", "8f7a5a", "4a3f30"),
        ("5c7ea8", "f3f6fa", "f0c75e"),
    )
)
DENIMS: tuple[tuple[Colour, Colour, Colour], ...] = tuple(
    (rgb(a), rgb(b), rgb(c))
    for a, b, c in (
        ("34507a", "3f5d89", "d08c4a"),
        ("6d90b8", "7b9dc4", "d9a15f"),
        ("a9c1d9", "b5cbe0", "c98f54"),
        ("2b2d33", "34373e", "8d8d92"),
    )
)
LEATHERS: tuple[tuple[Colour, Colour, Colour], ...] = tuple(
    (rgb(a), rgb(b), rgb(c))
    for a, b, c in (
        ("a8693a", "5b3620", "e8d9c0"),
        ("2a2422", "111010", "8b6b4a"),
        ("6b3f2a", "3a2117", "d9c3a0"),
        ("7a2433", "3c1119", "e7cfc0"),
        ("d8c6ad", "8d7658", "f7f0e4"),
    )
)


def _lines(at: NDArray[np.floating[Any]], period: float, share: float) -> NDArray[np.bool_]:
    return np.asarray(np.mod(at, np.float32(period)) < np.float32(period * share))


def _cells(u: Grid, v: Grid, period: float) -> tuple[Grid, Grid]:
    """Return each pixel's offset from its cell's centre; odd rows are shifted by half a cell."""
    row = np.floor(v / period)
    x = np.mod(u + np.where(np.mod(row, 2) == 1, period / 2, 0), period) - period / 2
    return x.astype(np.float32), (v - (row + 0.5) * period).astype(np.float32)


def _gingham(u: Grid, v: Grid, s: float) -> NDArray[np.uint8]:
    return _lines(u, s, 0.5).astype(np.uint8) + _lines(v, s, 0.5)


def _tartan(u: Grid, v: Grid, s: float) -> NDArray[np.uint8]:
    bands = _lines(u, 2 * s, 0.4) ^ _lines(v, 2 * s, 0.4)
    fine = _lines(u + s, 2 * s, 0.07) | _lines(v + s, 2 * s, 0.07)
    return np.where(fine, 2, bands).astype(np.uint8)


def _dots(u: Grid, v: Grid, s: float) -> NDArray[np.uint8]:
    x, y = _cells(u, v, s)
    return (x * x + y * y < (0.27 * s) ** 2).astype(np.uint8)


def _flowers(u: Grid, v: Grid, s: float) -> NDArray[np.uint8]:
    x, y = _cells(u, v, 1.35 * s)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    petals = radius < 0.42 * s * (0.72 + 0.28 * np.cos(5 * angle))
    return np.where(radius < 0.13 * s, 2, petals).astype(np.uint8)


def _chevron(u: Grid, v: Grid, s: float) -> NDArray[np.uint8]:
    return _lines(v + np.abs(np.mod(u, 2 * s) - s) * np.float32(0.7), s, 0.45).astype(np.uint8)


# Each gets garment coordinates in points and a size in points; returns which colour is where.
PATTERNS: dict[str, Callable[[Grid, Grid, float], NDArray[np.uint8]]] = {
    "stripes": lambda u, v, s: _lines(v, s, 0.5).astype(np.uint8),
    "breton": lambda u, v, s: _lines(v, s, 0.3).astype(np.uint8),
    "pinstripes": lambda u, v, s: _lines(u, 0.8 * s, 0.14).astype(np.uint8),
    "diagonal": lambda u, v, s: _lines(u + v, 1.3 * s, 0.4).astype(np.uint8),
    "gingham": _gingham,
    "tartan": _tartan,
    "windowpane": lambda u, v, s: (_lines(u, 2 * s, 0.07) | _lines(v, 2 * s, 0.07)).astype(
        np.uint8
    ),
    "dots": _dots,
    "flowers": _flowers,
    "chevron": _chevron,
    "block": lambda u, v, s: (v > 8).astype(np.uint8),
    "denim": lambda u, v, s: _lines(u + v, 3.2, 0.5).astype(np.uint8),
    "knit": lambda u, v, s: _lines(u, 5.0, 0.4).astype(np.uint8),
}


@dataclass(frozen=True)
class Fabric:
    """Colours and a pattern; "plain" and "logo" have none of their own."""

    colours: tuple[Colour, Colour, Colour]
    pattern: str = "plain"
    size: float = 16.0

    @property
    def main(self) -> Colour:
        """The colour that one would name the garment by."""
        return self.colours[0]

    @property
    def trim(self) -> Colour:
        """What collars, cuffs and waistbands are made of."""
        return self.colours[1] if self.pattern in ("block", "logo") else tone(self.main, 0.86)

    @property
    def seam(self) -> Colour:
        """A thread that shows on the main colour."""
        if self.pattern == "denim":
            return self.colours[2]
        return tone(self.main, 0.62) if brightness(self.main) > 0.22 else tone(self.main, 1.3)

    @property
    def inside(self) -> Colour:
        """The reverse of the cloth, in its own shadow."""
        return tone(self.main, 0.6)

    def paint(self, u: Grid, v: Grid) -> Image.Image:
        """Return the cloth as seen at garment coordinates u, v, both (h, w)."""
        if self.pattern not in PATTERNS:
            return Image.new("RGB", (u.shape[1], u.shape[0]), self.main)
        cloth = Image.fromarray(PATTERNS[self.pattern](u, v, self.size), "L")
        cloth.putpalette([channel for colour in self._inks() for channel in colour])
        return cloth.convert("RGB")

    def _inks(self) -> tuple[Colour, Colour, Colour]:
        main, second, third = self.colours
        if self.pattern == "gingham":
            return second, mix(second, main, 0.5), main
        if self.pattern == "tartan":
            return main, mix(main, second, 0.3), third
        if self.pattern == "knit":
            return main, tone(main, 0.9), third
        return main, second, third
