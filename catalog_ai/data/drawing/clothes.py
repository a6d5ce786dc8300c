"""Tops, dresses, trousers and shorts. Each function draws one garment, its cut chosen by `rng`.

The same generator state gives the same cut: that is what makes a style family.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from catalog_ai.data.drawing.canvas import (
    Canvas,
    Fold,
    Points,
    bezier,
    ellipse,
    mirrored,
    symmetric,
    trace,
)
from catalog_ai.data.drawing.fabrics import Fabric, brightness, tone

Rng = np.random.Generator
SIDES: tuple[Callable[[Points], Points], ...] = (np.asarray, mirrored)


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


def _upper(canvas: Canvas, top: Top, cloth: Fabric, rng: Rng, *, rib: bool = True) -> None:
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


def _pocket(canvas: Canvas, cloth: Fabric, x: float, y: float, size: float) -> None:
    shape = trace(
        (x, y),
        [(x + size, y)],
        [(x + size, y + size)],
        [(x + size / 2, y + size * 1.3)],
        [(x, y + size)],
    )
    canvas.part(shape, cloth, relief=0.6)
    canvas.stitches(np.concatenate([shape, shape[:1]]), cloth.seam, dash=3)


def _print(canvas: Canvas, cloth: Fabric, y: float, rng: Rng) -> None:
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


def draw_tshirt(canvas: Canvas, cloth: Fabric, rng: Rng, drape: float) -> None:
    """Draw a T-shirt: boxy, fitted or long; plain, ringer, with pocket or print."""
    width = rng.uniform(58, 74)
    hem_y = rng.choice([75.0, 95.0, 110.0, 140.0], p=[0.2, 0.35, 0.3, 0.15])
    top = Top(
        neckline=rng.choice(["crew", "crew", "v", "scoop"]),
        neck=rng.uniform(25, 31),
        shoulder=width + 4,
        bust=width,
        waist=width - rng.uniform(0, 9),
        hem=width + rng.uniform(-2, 5),
        hem_y=hem_y,
        hem_curve=rng.uniform(0, 9),
        sleeve=rng.choice([46.0, 58.0, 74.0]),
        cuff=rng.uniform(42, 54),
        spread=rng.uniform(0.55, 0.95) * drape,
    )
    extra = rng.random()
    _upper(canvas, top, cloth, rng)
    if cloth.pattern == "logo":
        _print(canvas, cloth, top.top_y + 78, rng)
    elif extra < 0.4:
        _pocket(canvas, cloth, 14, top.top_y + 52, 27)


def draw_longsleeve(canvas: Canvas, cloth: Fabric, rng: Rng, drape: float) -> None:
    """Draw a jumper, a turtleneck, a shirt, a henley or a shirt with three-quarter sleeves."""
    kind = rng.choice(["jumper", "turtle", "shirt", "henley", "basic"])
    width = rng.uniform(57, 72)
    spread = rng.uniform(0.22, 0.55) * drape
    top = Top(
        neckline={"turtle": "turtle", "shirt": "shirt"}.get(
            kind, rng.choice(["crew", "v", "boat"])
        ),
        neck=rng.uniform(24, 30),
        shoulder=width + 5,
        bust=width,
        waist=width - rng.uniform(0, 8),
        hem=width + rng.uniform(-5, 3),
        hem_y=rng.uniform(90, 130),
        hem_curve=14 if kind == "shirt" else rng.uniform(0, 5),
        sleeve=rng.uniform(120, 140)
        if kind == "basic" and rng.random() < 0.5
        else rng.uniform(165, 195),
        cuff=rng.uniform(23, 34),
        spread=spread,
    )
    _upper(canvas, top, cloth, rng)
    if kind == "jumper":
        band = np.array([(-top.hem, -14), (top.hem, -14), (top.hem - 2, 4), (2 - top.hem, 4)])
        canvas.part(band + (0, top.hem_y), cloth.trim, relief=0.7)
        for x in np.arange(-top.hem + 5, top.hem - 3, 5):
            rib = np.array([(x, top.hem_y - 13), (x, top.hem_y + 3)])
            canvas.stroke(rib, tone(cloth.trim, 0.88), 1.0)
    elif kind == "henley":
        low = top.neck_y
        canvas.part(
            np.array([(-5, low), (5, low), (5, low + 44), (-5, low + 44)], float), cloth.trim
        )
        for y in (10, 23, 36):
            canvas.disc((0, low + y), 2.6, tone(cloth.main, 0.5))
    elif kind == "shirt" and rng.random() < 0.7:
        _pocket(canvas, cloth, 17, top.top_y + 56, 25)
    if cloth.pattern == "logo" and kind not in ("shirt", "henley"):
        _print(canvas, cloth, top.top_y + 80, rng)


def draw_dress(canvas: Canvas, cloth: Fabric, rng: Rng, drape: float) -> None:
    """Draw a sundress, an A-line, a sheath, a shirt-dress, a tiered or a jumper dress."""
    kind = rng.choice(
        ["sun", "aline", "sheath", "shirt", "tiered", "jumper"],
        p=[0.2, 0.22, 0.16, 0.14, 0.16, 0.12],
    )
    if kind in ("sheath", "shirt", "jumper"):
        _straight_dress(canvas, cloth, rng, drape, kind)
        return
    waist = rng.uniform(40, 48)
    top = Top(
        neckline=rng.choice(
            ["v", "scoop", "square"] if kind == "sun" else ["v", "scoop", "crew", "boat"]
        ),
        neck=rng.uniform(27, 34),
        shoulder=58,
        bust=54,
        waist=waist,
        waist_y=-50,
        hem=waist,
        top_y=-185,
        hem_y=-42,
        hem_curve=2,
        sleeve=0.0 if kind == "sun" else rng.choice([0.0, 48.0, 66.0, 150.0]),
        cuff=rng.uniform(32, 46),
        spread=rng.uniform(0.4, 0.7) * drape,
        straps=kind == "sun",
    )
    _upper(canvas, top, cloth, rng, rib=False)
    length, flare = rng.uniform(85, 205), rng.uniform(40, 75)
    if kind == "tiered":
        _tiers(canvas, cloth, waist, length, flare, rng)
    else:
        _skirt(canvas, cloth, (waist, -45), (waist + flare, length), rng)
    belt = np.array([(-waist - 1, -50), (waist + 1, -50), (waist + 1, -41), (-waist - 1, -41)])
    canvas.part(belt, cloth.colours[2] if rng.random() < 0.4 else cloth.trim, relief=0.6)


def _skirt(
    canvas: Canvas, cloth: Fabric, top: tuple[float, float], hem: tuple[float, float], rng: Rng
) -> None:
    (waist, y), (wide, low) = top, hem
    half = trace(
        (0, y),
        [(waist, y)],
        [(waist + (wide - waist) * 0.55, y + (low - y) * 0.25), (wide, low)],
        [(wide * 0.55, low + 11), (0, low + 11)],
    )
    folds: list[Fold] = []
    for share in np.linspace(-0.85, 0.85, int(rng.integers(5, 9))):
        start = rng.uniform(0.0, 0.35)
        path = bezier(
            (share * waist, y + (low - y) * start),
            (share * (waist + wide) / 2, (y + low) / 2),
            (share * wide, low + 10),
        )
        folds.append((path, rng.uniform(4, 8), rng.choice([-0.16, 0.13])))
    canvas.part(symmetric(half), cloth, folds=folds)


def _tiers(
    canvas: Canvas, cloth: Fabric, waist: float, length: float, flare: float, rng: Rng
) -> None:
    levels = np.linspace(-45, max(length, 110), 4)
    widths = np.linspace(waist, waist + flare, 4)
    for i in (2, 1, 0):
        _skirt(canvas, cloth, (widths[i] * 0.96, levels[i]), (widths[i + 1], levels[i + 1]), rng)


def _straight_dress(canvas: Canvas, cloth: Fabric, rng: Rng, drape: float, kind: str) -> None:
    waist = {"sheath": 43.0, "shirt": 52.0, "jumper": 55.0}[kind]
    width = {"sheath": 53.0, "shirt": 58.0, "jumper": 58.0}[kind]
    sleeves = {"sheath": [0.0, 45.0], "shirt": [62.0, 150.0], "jumper": [165.0, 178.0]}[kind]
    top = Top(
        neckline={"shirt": "shirt", "jumper": "turtle"}.get(
            kind, rng.choice(["boat", "scoop", "v"])
        ),
        neck=rng.uniform(24, 29),
        shoulder=width + 4,
        bust=width,
        waist=waist,
        waist_y=-55,
        hem=rng.uniform(56, 70),
        top_y=-185,
        hem_y=rng.uniform(95, 165),
        hem_curve=rng.uniform(2, 12),
        sleeve=rng.choice(sleeves),
        cuff=rng.uniform(26, 40),
        spread=rng.uniform(0.25, 0.5) * drape,
    )
    _upper(canvas, top, cloth, rng, rib=kind == "jumper")
    if kind != "sheath":
        belt = np.array([(-waist - 1, -60), (waist + 1, -60), (waist + 1, -50), (-waist - 1, -50)])
        canvas.part(belt, tone(cloth.colours[2], 0.9), relief=0.6)
        canvas.disc((0, -55), 5, tone(cloth.colours[1], 0.9))


@dataclass(frozen=True)
class Legs:
    """The cut of trousers and shorts; lengths in points, half widths."""

    waist: float
    waist_y: float
    hip: float
    rise: float  # waist to crotch
    hem_y: float
    hem: float  # width of a leg's end
    stance: float  # the leg's middle at the hem

    def leg(self) -> Points:
        """Return the outline of the right leg."""
        y, crotch = self.waist_y, self.waist_y + self.rise
        outer, inner = self.stance + self.hem / 2, self.stance - self.hem / 2
        reach = self.hem_y - crotch
        return trace(
            (0, y),
            [(self.waist, y)],
            [(self.hip, y + self.rise * 0.4), (self.hip + 2, crotch)],
            [
                (self.hip + 2, crotch + reach * 0.4),
                (outer, crotch + reach * 0.55),
                (outer, self.hem_y),
            ],
            [(self.stance, self.hem_y + 4), (inner, self.hem_y)],
            [(inner - 2, crotch + reach * 0.5), (1.5, crotch)],
        )


def _draw_legs(canvas: Canvas, legs: Legs, cloth: Fabric, rng: Rng, style: str) -> None:
    y, crotch = legs.waist_y, legs.waist_y + legs.rise
    inside = ellipse((0, y - 8), (legs.waist - 3, 5))
    canvas.part(inside, cloth.inside)
    folds: list[Fold] = [
        (bezier((4, crotch + 2), (18, crotch - 4), (legs.hip * 0.8, crotch - 16)), 4, -0.12),
        (bezier((4, crotch + 9), (20, crotch + 8), (legs.hip * 0.7, crotch + 4)), 4, -0.10),
    ]
    knee = crotch + (legs.hem_y - crotch) * 0.5
    if legs.hem_y - crotch > 150:
        folds += [
            (
                bezier(
                    (legs.stance - 14, knee + d),
                    (legs.stance, knee + d + 7),
                    (legs.stance + 16, knee + d - 2),
                ),
                4,
                -0.08,
            )
            for d in (-8, 12)
        ]
    crease = style == "tailored"
    middle = bezier(
        (legs.waist * 0.55, y + 25), (legs.hip * 0.6, crotch), (legs.stance, legs.hem_y)
    )
    if crease:
        folds.append((middle, 2, 0.14))
    for side in SIDES:
        canvas.part(side(legs.leg()), cloth, folds=[(side(p), w, h) for p, w, h in folds])
        _leg_end(canvas, legs, cloth, side, style)
        pocket = bezier(
            (legs.waist * 0.62, y + 2),
            (legs.waist * 0.7, y + 24),
            (legs.waist + 0.42 * (legs.hip - legs.waist) - 1, y + 29),
        )
        canvas.stroke(side(pocket), cloth.seam, 1.1)
    _waistband(canvas, legs, cloth, style)


def _leg_end(
    canvas: Canvas, legs: Legs, cloth: Fabric, side: Callable[[Points], Points], style: str
) -> None:
    outer, inner, y = legs.stance + legs.hem / 2, legs.stance - legs.hem / 2, legs.hem_y
    if style in ("jogger", "rolled"):
        deep, wide = (15.0, -2.0) if style == "jogger" else (13.0, 2.5)
        cuff = np.array(
            [
                (inner - wide, y - deep),
                (outer + wide, y - deep),
                (outer + wide, y + 4),
                (inner - wide, y + 4),
            ]
        )
        canvas.part(
            side(cuff), cloth.trim if style == "jogger" else tone(cloth.main, 1.18), relief=0.8
        )
    else:
        hem = np.array([(inner + 1, y - 5), (legs.stance, y - 1), (outer - 1, y - 5)])
        canvas.stitches(side(hem), cloth.seam)


def _waistband(canvas: Canvas, legs: Legs, cloth: Fabric, style: str) -> None:
    y, w = legs.waist_y, legs.waist
    band = trace(
        (-w, y - 9), [(0, y - 3), (w, y - 9)], [(w + 1, y + 6)], [(0, y + 12), (-w - 1, y + 6)]
    )
    elastic = style in ("jogger", "sport")
    canvas.part(band, cloth.trim if elastic else cloth, relief=0.8)
    canvas.stroke(bezier((-w, y + 6), (0, y + 12), (w, y + 6)), cloth.seam, 1.0)
    if elastic:
        for x in np.arange(-w + 4, w - 2, 5.5):
            canvas.stroke(np.array([(x, y - 6), (x, y + 6)]), tone(cloth.trim, 0.85), 1.0)
        for tip in (-9, 7):
            cord = bezier((0, y + 5), (tip * 1.4, y + 20), (tip, y + 42))
            canvas.stroke(cord, cloth.colours[1], 2.4)
        return
    fly = bezier((13, y + 10), (14, y + legs.rise * 0.62), (0, y + legs.rise * 0.8))
    canvas.stroke(np.array([(0, y + 9), (0, y + legs.rise)]), cloth.seam, 1.0)
    canvas.stitches(fly, cloth.seam, dash=3)
    for x in (-w * 0.62, w * 0.62):
        loop = np.array([(x - 2.5, y - 8), (x + 2.5, y - 8), (x + 2.5, y + 9), (x - 2.5, y + 9)])
        canvas.part(loop, cloth, relief=0.6)
    canvas.disc((0, y + 3), 3.6, cloth.colours[2])


def draw_pants(canvas: Canvas, cloth: Fabric, rng: Rng, drape: float) -> None:
    """Draw jeans, wide trousers, chinos, joggers or cropped trousers."""
    style = rng.choice(["plain", "tailored", "jogger", "rolled"], p=[0.4, 0.25, 0.2, 0.15])
    fit = rng.choice(["slim", "straight", "wide"])
    cropped = rng.random() < 0.2
    hem = {"slim": 33.0, "straight": 45.0, "wide": 70.0}[fit] * rng.uniform(0.92, 1.06)
    hip = rng.uniform(64, 72)
    legs = Legs(
        waist=rng.uniform(49, 55),
        waist_y=-178,
        hip=hip,
        rise=rng.uniform(82, 98),
        hem_y=rng.uniform(105, 130) if cropped else rng.uniform(175, 200),
        hem=hem * (0.85 if style == "jogger" else 1.0),
        stance=(hip * 0.5 + hem * 0.16) * (0.75 + 0.25 * drape) + 2,
    )
    _draw_legs(canvas, legs, cloth, rng, style)


def draw_shorts(canvas: Canvas, cloth: Fabric, rng: Rng, drape: float) -> None:
    """Draw denim, chino, running or Bermuda shorts."""
    style = rng.choice(["plain", "tailored", "sport", "rolled"], p=[0.35, 0.15, 0.3, 0.2])
    hip = rng.uniform(84, 96)
    reach = rng.choice([38.0, 62.0, 95.0, 135.0], p=[0.25, 0.35, 0.25, 0.15])
    hem = hip * rng.uniform(0.84, 1.0)
    legs = Legs(
        waist=rng.uniform(68, 76),
        waist_y=-95,
        hip=hip,
        rise=rng.uniform(98, 112),
        hem_y=10 + reach,
        hem=hem,
        stance=hem * 0.5 + 5 + 7 * drape,
    )
    _draw_legs(canvas, legs, cloth, rng, style)
