"""A sheet on which parts of a garment are laid, each shaded as if it were softly padded.

Coordinates of a garment are points: the picture's centre is (0, 0), x grows to the right in
-180..180, y downwards in -240..240. A `Pose` carries them to pixels. Everything is painted at
`SUPERSAMPLING` times the final size and reduced once, which is what smooths the edges.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from catalog_ai.data.drawing.fabrics import Colour, Fabric, tone

WIDTH, HEIGHT = 360, 480
SUPERSAMPLING = 2
RELIEF_STEP = 4  # shading is smooth: a quarter of the sheet's resolution is plenty
LIGHT = (-0.55, -0.85)  # from above, a little from the left

Points = NDArray[np.float64]
Box = tuple[int, int, int, int]
Fold = tuple[Points, float, float]
Rng = np.random.Generator
Side = Callable[[Points], Points]


def bezier(*controls: tuple[float, float], steps: int = 20) -> Points:
    """Return (steps, 2) points of the Bézier curve with these control points, ends included."""
    degree = len(controls) - 1
    t = np.linspace(0.0, 1.0, steps)[:, None]
    weights = [math.comb(degree, k) * t**k * (1 - t) ** (degree - k) for k in range(degree + 1)]
    return np.asarray(sum(w * np.asarray(c) for w, c in zip(weights, controls, strict=True)))


def trace(start: tuple[float, float], *segments: Sequence[tuple[float, float]]) -> Points:
    """Return the path from `start` along segments of one point (a line), two or three (a curve)."""
    pieces, here = [np.array([start], dtype=float)], start
    for segment in segments:
        steps = 2 if len(segment) == 1 else 20
        pieces.append(bezier(here, *segment, steps=steps)[1:])
        here = segment[-1]
    return np.concatenate(pieces)


def mirrored(points: Points) -> Points:
    """Return the path reflected in the vertical axis."""
    return points * (-1.0, 1.0)


SIDES: tuple[Side, Side] = (np.asarray, mirrored)  # what is cut for the right, and for the left


def symmetric(half: Points) -> Points:
    """Return the closed outline whose right half is given from top to bottom."""
    return np.concatenate([half, mirrored(half)[::-1]])


def ellipse(centre: tuple[float, float], radii: tuple[float, float], tilt: float = 0.0) -> Points:
    """Return the (48, 2) outline of an ellipse; `tilt` in radians."""
    angle = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
    x, y = radii[0] * np.cos(angle), radii[1] * np.sin(angle)
    cos, sin = math.cos(tilt), math.sin(tilt)
    return np.stack([centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos], axis=1)


@dataclass(frozen=True)
class Pose:
    """Where a garment lies in the picture; `angle` in radians, `shift` in points."""

    angle: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    flipped: bool = False

    def matrix(self) -> NDArray[np.float64]:
        """Return the (2, 3) affine map from points to pixels of the sheet."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turn = np.array([[cos, -sin], [sin, cos]]) * self.scale
        if self.flipped:
            turn = turn @ np.diag([-1.0, 1.0])
        centre = np.array([WIDTH / 2 + self.shift[0], HEIGHT / 2 + self.shift[1]])
        return np.column_stack([turn, centre]) * SUPERSAMPLING

    def moved(self, x: float, y: float, *, scale: float = 1.0, angle: float = 0.0) -> "Pose":
        """Return the pose of a second item that lies at (x, y) points from this one."""
        offset = self.matrix()[:, :2] @ (x, y) / SUPERSAMPLING
        shift = (self.shift[0] + float(offset[0]), self.shift[1] + float(offset[1]))
        return Pose(self.angle + angle, self.scale * scale, shift, self.flipped)


class Canvas:
    """A transparent sheet of WIDTH x HEIGHT; later parts cover earlier ones."""

    def __init__(self, pose: Pose) -> None:
        self.pose = pose
        self._size = (WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING)
        self._colour = Image.new("RGB", self._size)
        self._alpha = Image.new("L", self._size)

    def part(
        self,
        outline: Points,
        fill: Fabric | Colour,
        *,
        folds: Sequence[Fold] = (),
        turn: float = 0.0,
        relief: float = 1.0,
    ) -> None:
        """Lay a piece of cloth.

        Each of `folds` is (path, width in points, height -1..1): a ridge or, where negative, a
        crease. `turn` rotates the pattern in radians, as on a sleeve; `relief` scales the shading.
        """
        pixels = self._pixels(outline)
        box = self._box(pixels, 0)
        if box is None:
            return
        mask = self._polygon(pixels, box)
        cloth = self._paint(fill, box, turn)
        light = self._light(mask, folds, relief, box)
        lit = np.asarray(cloth, dtype=np.float32) * np.minimum(light, 1.0)
        lit += np.maximum(light - 1.0, 0.0) * 190.0  # black cloth shines too
        shaded = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
        self._lay(shaded, mask, box)

    def stroke(
        self, path: Points, colour: Colour, width: float = 1.4, *, opacity: float = 1.0
    ) -> None:
        """Draw a line of `width` points: a seam, a strap, a lace."""
        self._line([path], colour, width, opacity)

    def stitches(self, path: Points, colour: Colour, *, dash: float = 4.0) -> None:
        """Draw a dashed line along the path."""
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
        starts = np.arange(0.0, along[-1], dash * 1.7)
        ends = np.minimum(starts + dash, along[-1])
        at = [np.interp(np.stack([starts, ends], 1), along, path[:, axis]) for axis in (0, 1)]
        self._line(list(np.stack(at, axis=2)), colour, 1.0, 0.85)

    def disc(self, centre: tuple[float, float], radius: float, colour: Colour) -> None:
        """Draw a button, an eyelet, a knob: a disc with a darker rim."""
        outer = self._pixels(ellipse(centre, (radius, radius)))
        inner = self._pixels(ellipse(centre, (radius * 0.72, radius * 0.72)))
        for outline, shade in ((outer, tone(colour, 0.72)), (inner, colour)):
            box = self._box(outline, 0)
            if box is not None:
                self._lay(shade, self._polygon(outline, box), box)

    def picture(self) -> Image.Image:
        """Return the sheet as an RGBA image of WIDTH x HEIGHT."""
        sheet = self._colour.copy()
        sheet.putalpha(self._alpha)
        return sheet.reduce(SUPERSAMPLING)

    def _line(self, paths: list[Points], colour: Colour, width: float, opacity: float) -> None:
        thickness = max(1, round(width * self.pose.scale * SUPERSAMPLING))
        lines = [self._pixels(path) for path in paths]
        box = self._box([point for line in lines for point in line], thickness)
        if box is None:
            return
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        pen = ImageDraw.Draw(mask)
        for line in lines:
            inside = [(x - box[0], y - box[1]) for x, y in line]
            pen.line(inside, fill=round(255 * opacity), width=thickness, joint="curve")
        self._lay(colour, mask, box)

    def _pixels(self, points: Points) -> list[tuple[float, float]]:
        matrix = self.pose.matrix()
        return [(x, y) for x, y in (points @ matrix[:, :2].T + matrix[:, 2]).tolist()]

    def _box(self, pixels: list[tuple[float, float]], margin: float) -> Box | None:
        """Return the part of the sheet that holds these pixels, in whole steps of the shading."""
        step, (width, height) = RELIEF_STEP, self._size
        x, y = zip(*pixels, strict=True)
        left = max(0, math.floor((min(x) - margin) / step) * step)
        upper = max(0, math.floor((min(y) - margin) / step) * step)
        right = min(width, math.ceil((max(x) + margin + 1) / step) * step)
        lower = min(height, math.ceil((max(y) + margin + 1) / step) * step)
        return (left, upper, right, lower) if left < right and upper < lower else None

    @staticmethod
    def _polygon(pixels: list[tuple[float, float]], box: Box) -> Image.Image:
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        inside = [(x - box[0], y - box[1]) for x, y in pixels]
        ImageDraw.Draw(mask).polygon(inside, fill=255)
        return mask

    def _lay(self, fill: Image.Image | Colour, mask: Image.Image, box: Box) -> None:
        self._colour.paste(fill, box, mask)
        self._alpha.paste(255, box, mask)

    def _paint(self, fill: Fabric | Colour, box: Box, turn: float) -> Image.Image:
        if not isinstance(fill, Fabric):
            return Image.new("RGB", (box[2] - box[0], box[3] - box[1]), fill)
        matrix = self.pose.matrix()
        back = np.linalg.inv(matrix[:, :2])
        x = np.arange(box[0], box[2], dtype=np.float32)[None, :] - np.float32(matrix[0, 2])
        y = np.arange(box[1], box[3], dtype=np.float32)[:, None] - np.float32(matrix[1, 2])
        cos, sin = math.cos(turn), math.sin(turn)
        rows = (np.array([[cos, sin], [-sin, cos]]) @ back).astype(np.float32)
        return fill.paint(rows[0, 0] * x + rows[0, 1] * y, rows[1, 0] * x + rows[1, 1] * y)

    def _light(
        self, mask: Image.Image, folds: Sequence[Fold], relief: float, box: Box
    ) -> NDArray[np.float32]:
        """Return (h, w, 1) brightness over `box`, 1 = as dyed, from a height map of the cloth."""
        step = RELIEF_STEP
        small = Image.new("L", (self._size[0] // step, self._size[1] // step))
        small.paste(mask.reduce(step), (box[0] // step, box[1] // step))
        near, far = (small.filter(ImageFilter.GaussianBlur(r)) for r in (2.2, 9))
        height = np.asarray(near, np.float32) * 0.35 + np.asarray(far, np.float32) * 0.65
        height = height / 255.0
        if folds:
            height += self._ridges(folds, small.size)
        slope_y, slope_x = np.gradient(height)
        facing = slope_x * -LIGHT[0] + slope_y * -LIGHT[1]
        light = 1.0 + relief * (2.6 * facing - 0.22 * (1.0 - np.clip(height, 0.0, 1.0)))
        full = Image.fromarray(np.clip(light, 0.35, 1.35).astype(np.float32))
        left, upper, right, lower = (edge / step for edge in box)
        window = full.resize(mask.size, Image.Resampling.BILINEAR, box=(left, upper, right, lower))
        return np.asarray(window, dtype=np.float32)[:, :, None]

    def _ridges(self, folds: Sequence[Fold], size: tuple[int, int]) -> NDArray[np.float32]:
        """Return (h, w) heights of all folds, drawn together and blurred once."""
        level, middle = 400.0, 128
        ridges = Image.new("L", size, middle)
        pen = ImageDraw.Draw(ridges)
        for path, width, rise in folds:
            points = [(x / RELIEF_STEP, y / RELIEF_STEP) for x, y in self._pixels(path)]
            thickness = max(1, round(width * self.pose.scale * SUPERSAMPLING / RELIEF_STEP))
            pen.line(points, fill=middle + round(rise * level), width=thickness, joint="curve")
        soft = ridges.filter(ImageFilter.GaussianBlur(2.0))
        return (np.asarray(soft, dtype=np.float32) - middle) / np.float32(level)
