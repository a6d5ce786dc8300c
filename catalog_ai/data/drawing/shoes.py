"""Shoes, seen from the side. Same rules as in `tops`: `rng` chooses the cut."""

import numpy as np

from catalog_ai.data.drawing.canvas import Canvas, Fold, Rng, bezier, ellipse, trace
from catalog_ai.data.drawing.fabrics import Colour, Fabric, rgb, tone

RUBBER: tuple[Colour, ...] = (rgb("f5f3ee"), rgb("e9dfc9"), rgb("3a3632"), rgb("b98652"))


def draw_shoes(canvas: Canvas, cloth: Fabric, rng: Rng, drape: float) -> None:
    """Draw a pair: sneakers, high-tops, ankle boots, pumps or loafers."""
    draw = (_sneaker, _sneaker, _boot, _pump, _loafer)[int(rng.integers(5))]
    state, pose = int(rng.integers(2**32)), canvas.pose
    apart, lift = rng.uniform(18, 34), rng.uniform(44, 62)
    for x, y, scale in ((apart, -lift, 0.94), (-apart * 0.6, lift * 0.7, 1.0)):
        canvas.pose = pose.moved(x, y, scale=scale, angle=(drape - 1) * 0.15)
        draw(canvas, cloth, np.random.default_rng(state))
    canvas.pose = pose


def _sole(canvas: Canvas, colour: Colour, depth: float) -> None:
    slab = trace(
        (-121, 30),
        [(-60, 36), (40, 36), (126, 24)],
        [(139, 30), (130, 36 + depth * 0.6)],
        [(120, 38 + depth), (95, 38 + depth)],
        [(-100, 38 + depth)],
        [(-125, 38 + depth), (-121, 30)],
    )
    canvas.part(slab, colour, relief=0.8)
    canvas.stroke(bezier((-121, 41), (0, 46), (132, 37)), tone(colour, 0.8), 1.4)


def _sneaker(canvas: Canvas, cloth: Fabric, rng: Rng) -> None:
    high = rng.random() < 0.4
    collar = rng.uniform(-125, -105) if high else rng.uniform(-50, -40)
    rubber, accent = RUBBER[int(rng.choice(4, p=[0.6, 0.15, 0.15, 0.1]))], cloth.colours[1]
    tongue = trace((-8, collar), [(4, collar - 24), (22, collar - 12)], [(58, -20)], [(20, -12)])
    canvas.part(tongue, tone(cloth.main, 0.82))
    canvas.part(ellipse((-52, collar + 4), (48, 9), 0.05), cloth.inside)
    upper = trace(
        (-102, collar - 6),
        [(-112, -10), (-119, 34)],
        [(0, 46), (126, 34)],
        [(134, 2), (96, -8)],
        [(62, -16), (42, -32)],
        [(20, -42), (-4, collar)],
        [(-40, collar + (24 if not high else 12)), (-102, collar - 6)],
    )
    folds: list[Fold] = [(bezier((48, -22), (62, 0), (58, 26)), 4, -0.12)]
    canvas.part(upper, cloth, folds=folds)
    toe = trace((90, 36), [(84, 8), (104, -6)], [(134, 2), (127, 34)])
    canvas.part(toe, rubber if rng.random() < 0.5 else tone(cloth.main, 0.85), relief=0.8)
    heel = trace(
        (-103, collar - 2), [(-113, -10), (-119, 32)], [(-82, 37)], [(-88, -8), (-84, collar + 8)]
    )
    canvas.part(heel, accent if rng.random() < 0.6 else cloth.trim, relief=0.8)
    for shift in (0, 14) if rng.random() < 0.5 else (7,):
        swoosh = bezier((-62 + shift, 30), (-38 + shift, 6), (-22 + shift, -22))
        canvas.stroke(swoosh, accent, 6 if shift else 7)
    _laces(canvas, accent if rng.random() < 0.3 else rgb("faf8f4"), collar, cloth.seam)
    canvas.stroke(bezier((62, -16), (54, 6), (20, 34)), cloth.seam, 1.2)
    _sole(canvas, rubber, rng.uniform(10, 20))


def _laces(canvas: Canvas, colour: Colour, collar: float, seam: Colour) -> None:
    rows = 4 if collar > -80 else 7
    top, low = np.array([2.0, collar + 8]), np.array([48.0, -18.0])
    for share in np.linspace(0.0, 1.0, rows):
        x, y = top + (low - top) * share
        canvas.disc((x - 13, y + 11), 2.4, seam)
        canvas.stroke(bezier((x - 13, y + 11), (x, y - 2), (x + 9, y - 3)), colour, 4.2)


def _boot(canvas: Canvas, cloth: Fabric, rng: Rng) -> None:
    top, chelsea = rng.uniform(-150, -110), rng.random() < 0.6
    sole = tone(cloth.main, 0.45)
    canvas.part(ellipse((-48, top + 2), (51, 9)), cloth.inside)
    upper = trace(
        (-99, top),
        [(-96, -60), (-112, -20), (-114, 38)],
        [(0, 42), (122, 38)],
        [(130, 4), (84, -14)],
        [(30, -34), (8, -56)],
        [(0, -80), (3, top)],
        [(-48, top + 18), (-99, top)],
    )
    folds: list[Fold] = [
        (bezier((-10, -62), (-40, -42), (-80, -46)), 5, -0.14),
        (bezier((6, -44), (-20, -26), (-60, -24)), 5, -0.12),
    ]
    canvas.part(upper, cloth, folds=folds)
    if chelsea:
        gore = trace(
            (-66, top + 9), [(-24, top + 9)], [(-28, -60), (-40, -34)], [(-58, -60), (-66, top + 9)]
        )
        canvas.part(gore, tone(cloth.main, 0.5), relief=0.6)
        for x in np.arange(-62, -26, 6.0):
            canvas.stroke(
                np.array([(x, top + 12), (x * 0.6 - 18, -50)]), tone(cloth.main, 0.38), 1.0
            )
        canvas.stroke(bezier((-99, top + 4), (-104, top - 18), (-92, top - 8)), cloth.seam, 3.5)
    else:
        for y in np.linspace(top + 18, -50, 6):
            canvas.stroke(
                bezier((-22, y + 6), (-8, y), (5, y - 3)), tone(cloth.colours[2], 0.95), 4.0
            )
            canvas.disc((-23, y + 7), 2.6, cloth.colours[2])
        canvas.stroke(bezier((-28, top + 14), (-26, -60), (20, -8), (16, 36)), cloth.seam, 1.3)
    canvas.part(trace((-114, 36), [(0, 42), (124, 34)], [(134, 42), (122, 50)], [(-114, 50)]), sole)
    block = trace((-116, 44), [(-62, 44)], [(-66, 68)], [(-112, 68)])
    canvas.part(block, tone(sole, 0.8))


def _pump(canvas: Canvas, cloth: Fabric, rng: Rng) -> None:
    high = rng.uniform(48, 88)
    back = 52 - high
    stem = rng.choice([4.0, 13.0])
    canvas.part(
        trace(
            (-112, back - 4),
            [(-108, 30), (-101 - stem, 56)],
            [(-97 + stem * 0.4, 56)],
            [(-92 + stem, 30), (-72, back + 12)],
        ),
        tone(cloth.main, 0.8),
    )
    inside = trace(
        (-108, back - 38),
        [(-60, back - 8), (-4, 22), (60, 20)],
        [(10, 42), (-60, back + 10), (-108, back - 20)],
    )
    canvas.part(inside, tone(cloth.colours[2], 0.8), relief=0.5)
    upper = trace(
        (-110, back - 42),
        [(-122, back - 14), (-113, back + 8)],
        [(-60, back + 14), (-20, 52), (36, 54)],
        [(90, 56), (134, 54)],
        [(126, 32), (70, 8)],
        [(64, 22), (20, 36), (-40, back - 2), (-96, back - 42)][:3],
    )
    canvas.part(upper, cloth)
    canvas.stroke(
        bezier((-112, back + 10), (-60, back + 17), (-20, 55), (36, 57)),
        tone(cloth.main, 0.45),
        2.6,
    )
    canvas.stroke(np.array([(36.0, 57.0), (132.0, 57.0)]), tone(cloth.main, 0.45), 2.6)
    if rng.random() < 0.5:
        for side in (-1, 1):
            bow = trace((84, 16), [(84 + side * 24, 0), (84 + side * 22, 26), (84, 16)])
            canvas.part(bow, cloth.colours[1])
        canvas.disc((84, 15), 4, cloth.colours[2])


def _loafer(canvas: Canvas, cloth: Fabric, rng: Rng) -> None:
    canvas.part(ellipse((-38, -14), (66, 15), 0.06), cloth.inside)
    upper = trace(
        (-106, -32),
        [(-120, 0), (-118, 38)],
        [(0, 44), (128, 38)],
        [(138, 10), (94, -6)],
        [(58, -18), (36, -36)],
        [(14, -34), (4, -14)],
        [(-50, 0), (-80, -10), (-106, -32)],
    )
    canvas.part(upper, cloth)
    canvas.stroke(bezier((30, -20), (90, -20), (128, 18)), cloth.seam, 2.0)
    strap = trace((8, -16), [(36, -36)], [(58, -22)], [(40, 10), (22, 36)], [(-14, 36)])
    canvas.part(strap, tone(cloth.main, 0.85))
    metal = rgb("d6b25e")
    if rng.random() < 0.5:
        canvas.stroke(bezier((14, -6), (30, -22), (48, -20)), metal, 5)
    else:
        for x in (26, 36):
            canvas.part(
                trace((x, -16), [(x + 10, 6)], [(x, 12)], [(x - 6, 4)]), tone(cloth.main, 0.7)
            )
    _sole(canvas, tone(cloth.main, 0.42), 8)
    canvas.part(trace((-121, 42), [(-66, 44)], [(-68, 58)], [(-118, 58)]), tone(cloth.main, 0.34))
