"""Trousers and shorts. Same rules as in `tops`: `rng` chooses the cut, `drape` spreads the legs."""

from dataclasses import dataclass

import numpy as np

from catalog_ai.data.drawing.canvas import (
    SIDES,
    Canvas,
    Fold,
    Points,
    Rng,
    Side,
    bezier,
    ellipse,
    trace,
)
from catalog_ai.data.drawing.fabrics import Fabric, tone


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


def _leg_end(canvas: Canvas, legs: Legs, cloth: Fabric, side: Side, style: str) -> None:
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
