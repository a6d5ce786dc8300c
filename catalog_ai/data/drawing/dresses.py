"""Dresses. Same rules as in `tops`: `rng` chooses the cut, `drape` spreads the sleeves."""

import numpy as np

from catalog_ai.data.drawing.bodice import Top, draw_upper
from catalog_ai.data.drawing.canvas import Canvas, Fold, Rng, bezier, symmetric, trace
from catalog_ai.data.drawing.fabrics import Fabric, tone


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
    draw_upper(canvas, top, cloth, rng, rib=False)
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
    draw_upper(canvas, top, cloth, rng, rib=kind == "jumper")
    if kind != "sheath":
        belt = np.array([(-waist - 1, -60), (waist + 1, -60), (waist + 1, -50), (-waist - 1, -50)])
        canvas.part(belt, tone(cloth.colours[2], 0.9), relief=0.6)
        canvas.disc((0, -55), 5, tone(cloth.colours[1], 0.9))
