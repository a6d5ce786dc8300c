"""T-shirts and long sleeves. Each function draws one garment, its cut chosen by `rng`.

The same generator state gives the same cut: that is what makes a style family. `drape` (about
0.6..1.2) is how far the sleeves or legs are spread, which differs between members of a family.
"""

import numpy as np

from catalog_ai.data.drawing.bodice import Top, draw_pocket, draw_print, draw_upper
from catalog_ai.data.drawing.canvas import Canvas, Rng
from catalog_ai.data.drawing.fabrics import Fabric, tone


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
    draw_upper(canvas, top, cloth, rng)
    if cloth.pattern == "logo":
        draw_print(canvas, cloth, top.top_y + 78, rng)
    elif extra < 0.4:
        draw_pocket(canvas, cloth, 14, top.top_y + 52, 27)


def draw_longsleeve(canvas: Canvas, cloth: Fabric, rng: Rng, drape: float) -> None:
    """Draw a jumper, a turtleneck, a shirt, a henley or a shirt with three-quarter sleeves."""
    kind = rng.choice(["jumper", "turtle", "shirt", "henley", "basic"])
    width = rng.uniform(57, 72)
    spread = rng.uniform(0.22, 0.5) * drape
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
    draw_upper(canvas, top, cloth, rng)
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
        draw_pocket(canvas, cloth, 17, top.top_y + 56, 25)
    if cloth.pattern == "logo" and kind not in ("shirt", "henley"):
        draw_print(canvas, cloth, top.top_y + 80, rng)
