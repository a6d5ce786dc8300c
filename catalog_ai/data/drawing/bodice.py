"""The upper body that T-shirts, long sleeves and dresses share."""

import math
from dataclasses import dataclass

import numpy as np

from catalog_ai.data.drawing.canvas import (
    SIDES,
    Canvas,
    Fold,
    Points,
    Rng,
    bezier,
    ellipse,
    mirrored,
    symmetric,
    trace,
)
from catalog_ai.data.drawing.fabrics import Fabric, brightness, tone


@dataclass(frozen=True)
class Top:
    """The cut of everything that hangs from the shoulders; lengths in points, half widths."""

    neckline: str = "crew"  # crew, v, scoop, boat, square, turtle, shirt
    neck: float = 27.0
    shoulder: float = 66.0
    bust: float = 64.0
    waist: float = 60.0
    waist_y: float = -10.0
    hem: float = 66.0
    top_y: float = -130.0
    hem_y: float = 105.0
    hem_curve: float = 5.0
    sleeve: float = 0.0  # length; 0 = none
    cuff: float = 34.0  # width at the wrist
    spread: float = 0.5  # radians between sleeve and body
    straps: bool = False

    @property
    def neck_y(self) -> float:
        """Where the neckline crosses the middle of the front."""
        depth = {
            "crew": 21,
            "v": 50,
            "scoop": 42,
            "boat": 11,
            "square": 38,
            "turtle": 5,
            "shirt": 34,
        }
        return self.top_y + depth[self.neckline]

    @property
    def armpit_y(self) -> float:
        """Lower end of the armhole."""
        return self.top_y + 68.0

    def neck_path(self) -> Points:
        """Return the right half of the neckline, from the middle outwards."""
        end, low = (self.neck, self.top_y), (0.0, self.neck_y)
        if self.neckline in ("v", "shirt"):
            return trace(low, [(self.neck * 0.62, self.neck_y - 24), end])
        if self.neckline == "square":
            return trace(low, [(self.neck * 0.9, self.neck_y)], [end])
        return trace(low, [(self.neck * 0.86, self.neck_y), end])

    def body(self) -> Points:
        """Return the closed outline of front and back."""
        arm = self.neck + 8 if self.straps else self.shoulder
        drop = 3 if self.straps else 17
        side = trace(
            (arm, self.top_y + drop),
            [(arm - 7, self.armpit_y - 26), (self.bust, self.armpit_y)],
            [
                (self.waist, self.armpit_y + 20),
                (self.waist, self.waist_y - 10),
                (self.waist, self.waist_y),
            ],
            [
                (self.waist, self.waist_y + 35),
                (self.hem - 3, self.hem_y - 60),
                (self.hem, self.hem_y),
            ],
            [(self.hem * 0.5, self.hem_y + self.hem_curve), (0, self.hem_y + self.hem_curve)],
        )
        return symmetric(np.concatenate([self.neck_path(), side]))

    def arm(self) -> tuple[Points, Points]:
        """Return the outline of the right sleeve and the path of its hem."""
        shoulder, armpit = (self.shoulder - 1, self.top_y + 15), (self.bust - 4, self.armpit_y + 5)
        x, y = math.sin(self.spread), math.cos(self.spread)
        middle = ((shoulder[0] + armpit[0]) / 2, (shoulder[1] + armpit[1]) / 2)
        end = (middle[0] + x * self.sleeve, middle[1] + y * self.sleeve)
        half = self.cuff / 2
        outer, inner = (
            (end[0] + y * half, end[1] - x * half),
            (end[0] - y * half, end[1] + x * half),
        )
        swell = (shoulder[0] + 0.45 * x * self.sleeve + 12, shoulder[1] + 0.40 * y * self.sleeve)
        bend = ((armpit[0] + inner[0]) / 2 + 3, (armpit[1] + inner[1]) / 2 - 3)
        outline = trace(shoulder, [swell, outer], [inner], [bend, armpit])
        return outline, np.array([outer, inner])


def _creases(top: Top, rng: Rng) -> list[Fold]:
    """Folds that fall from the armpits and gather above the hem."""
    folds: list[Fold] = []
    for side in (-1, 1):
        x, y = side * (top.bust - 8), top.armpit_y + 8
        reach = rng.uniform(0.2, 0.6)
        folds.append((bezier((x, y), (x * 0.8, y + 25), (x * reach, y + 58)), 4, -0.10))
    for _ in range(int(rng.integers(2, 5))):
        x = rng.uniform(-0.8, 0.8) * top.hem
        length = rng.uniform(0.18, 0.4) * (top.hem_y - top.armpit_y)
        path = bezier((x, top.hem_y), (x, top.hem_y - length * 0.6), (x * 0.8, top.hem_y - length))
        folds.append((path, rng.uniform(5, 9), rng.choice([-0.12, 0.10])))
    return folds


def draw_upper(canvas: Canvas, top: Top, cloth: Fabric, rng: Rng, *, rib: bool = True) -> None:
    """Draw the inside of the back, the sleeves, the body and the neckline."""
    lip = trace((0, top.top_y + 5), [(top.neck * 0.7, top.top_y + 4), (top.neck, top.top_y)])
    front = np.concatenate([top.neck_path(), mirrored(top.neck_path())[::-1]])
    canvas.part(symmetric(np.concatenate([lip, top.neck_path()[::-1]])), cloth.inside)
    if top.sleeve:
        _sleeves(canvas, top, cloth, rib)
    canvas.part(top.body(), cloth, folds=_creases(top, rng))
    hem = bezier((-top.hem, top.hem_y), (0, top.hem_y + top.hem_curve * 1.6), (top.hem, top.hem_y))
    canvas.stitches(hem - (0, 5), cloth.seam)
    if top.neckline == "turtle":
        _turtleneck(canvas, top, cloth)
    elif top.neckline == "shirt":
        _shirt_front(canvas, top, cloth)
    else:
        canvas.stroke(front, cloth.trim, 6.5 if rib else 2.5)
        canvas.stroke(front + (0, 3.4), cloth.seam, 0.8, opacity=0.6)


def _sleeves(canvas: Canvas, top: Top, cloth: Fabric, rib: bool) -> None:
    outline, end = top.arm()
    middle = (outline[0] + outline[-1]) / 2
    inward = middle - end.mean(axis=0)
    inward = inward / np.hypot(*inward)
    elbow = end.mean(axis=0) + inward * top.sleeve * 0.5
    fold = bezier(*(tuple(elbow + d) for d in ((-12, -4), (0, 4), (10, 2))))
    folds: list[Fold] = [(fold, 4, -0.10)] if top.sleeve > 100 else []
    for side in SIDES:
        turn = -top.spread if side is mirrored else top.spread
        canvas.part(side(outline), cloth, turn=-turn, folds=[(side(p), w, h) for p, w, h in folds])
        if rib:
            depth = 13 if top.sleeve > 100 else 5
            cuff = np.concatenate([end, (end + inward * depth)[::-1]])
            canvas.part(side(cuff), cloth.trim, relief=0.7)
        canvas.stroke(side(end + inward * (13 if rib and top.sleeve > 100 else 6)), cloth.seam, 0.9)
        canvas.stroke(
            side(bezier(tuple(outline[0]), tuple(middle - (9, 0)), tuple(outline[-1]))),
            cloth.seam,
            1.0,
        )


def _turtleneck(canvas: Canvas, top: Top, cloth: Fabric) -> None:
    half = trace(
        (0, top.top_y - 27),
        [(top.neck * 0.9, top.top_y - 26)],
        [(top.neck + 1, top.top_y - 12), (top.neck + 4, top.top_y + 5)],
        [(top.neck * 0.5, top.top_y + 14), (0, top.top_y + 14)],
    )
    canvas.part(symmetric(half), cloth)
    fold = bezier((-top.neck, top.top_y - 6), (0, top.top_y + 3), (top.neck, top.top_y - 6))
    canvas.stroke(fold, cloth.seam, 1.0)


def _shirt_front(canvas: Canvas, top: Top, cloth: Fabric) -> None:
    """Collar, placket and buttons."""
    low, edge = top.neck_y, top.hem_y + top.hem_curve - 1
    placket = np.array([(-6, low), (6, low), (6, edge), (-6, edge)], dtype=float)
    canvas.part(placket, cloth, relief=0.5)
    for x in (-6, 6):
        canvas.stroke(np.array([(x, low), (x, edge)]), cloth.seam, 0.8, opacity=0.7)
    button = tone(cloth.main, 1.55) if brightness(cloth.main) < 0.7 else tone(cloth.main, 0.55)
    for y in np.arange(low + 12, edge - 8, 31):
        canvas.disc((0, float(y)), 2.8, button)
    flap = trace(
        (1, low + 1),
        [(top.neck * 0.7, low - 22), (top.neck - 1, top.top_y - 5)],
        [(top.neck + 9, top.top_y + 6)],
        [(top.neck + 4, low - 2), (top.neck - 7, low + 6)],
    )
    for side in SIDES:
        canvas.part(side(flap), cloth, turn=0.8 if side is mirrored else -0.8)
        canvas.stroke(side(flap), cloth.seam, 0.8, opacity=0.6)


def draw_pocket(canvas: Canvas, cloth: Fabric, x: float, y: float, size: float) -> None:
    shape = trace(
        (x, y),
        [(x + size, y)],
        [(x + size, y + size)],
        [(x + size / 2, y + size * 1.3)],
        [(x, y + size)],
    )
    canvas.part(shape, cloth, relief=0.6)
    canvas.stitches(np.concatenate([shape, shape[:1]]), cloth.seam, dash=3)


def draw_print(canvas: Canvas, cloth: Fabric, y: float, rng: Rng) -> None:
    """A graphic on the chest, of the fabric's other colours."""
    second, third = cloth.colours[1:]
    kind, r = rng.integers(5), float(rng.uniform(17, 27))
    if kind == 0:
        canvas.part(ellipse((0, y), (r, r)), second, relief=0)
        canvas.part(ellipse((r * 0.3, y), (r * 0.62, r * 0.62)), third, relief=0)
    elif kind == 1:
        for row, colour in enumerate((second, third, second)):
            bar = np.array([(-40, 0), (40, 0), (40, 8), (-40, 8)]) + (0, y - 16 + row * 11)
            canvas.part(bar.astype(float), colour, relief=0)
    elif kind == 2:
        sky = np.array([(-r * 1.2, -r), (r * 1.2, -r), (r * 1.2, r), (-r * 1.2, r)]) + (0, y)
        canvas.part(sky, second, relief=0)
        hill = np.array(
            [
                (-r * 1.2, r),
                (-r * 0.3, -r * 0.4),
                (r * 0.2, r * 0.2),
                (r * 0.6, -r * 0.1),
                (r * 1.2, r),
            ]
        )
        canvas.part(hill + (0, y), third, relief=0)
    elif kind == 3:
        angle = np.arange(10) * math.pi / 5 - math.pi / 2
        radius = np.where(np.arange(10) % 2, r * 0.45, r * 1.1)
        star = np.stack([radius * np.cos(angle), radius * np.sin(angle) + y], axis=1)
        canvas.part(star, third, relief=0)
    else:
        for row, half in enumerate((34, 26, 30)):
            canvas.stroke(
                np.array([(-half, y - 12 + row * 11), (half, y - 12 + row * 11)]), second, 5
            )
