"""Hats. Same rules as in `tops`: `rng` chooses the cut."""

from dataclasses import replace

import numpy as np

from catalog_ai.data.drawing.canvas import Canvas, Fold, Rng, bezier, ellipse, symmetric, trace
from catalog_ai.data.drawing.fabrics import Fabric, rgb, tone


def draw_hat(canvas: Canvas, cloth: Fabric, rng: Rng, drape: float) -> None:
    """Draw a cap, a beanie, a fedora, a sun hat or a bucket hat."""
    draw = (_cap, _cap, _beanie, _fedora, _fedora, _bucket)[int(rng.integers(6))]
    pose = canvas.pose
    canvas.pose = replace(pose.moved(-24 if draw is _cap else 0, 0), scale=pose.scale * 1.12)
    draw(canvas, cloth, rng)
    canvas.pose = pose


def _cap(canvas: Canvas, cloth: Fabric, rng: Rng) -> None:
    tall, long = rng.uniform(72, 92), rng.uniform(150, 172)
    brim_cloth = cloth.colours[1] if rng.random() < 0.35 else cloth
    dome = trace(
        (-88, 34),
        [(-98, -tall * 0.8), (-40, -tall), (4, -tall)],
        [(62, -tall), (92, -tall * 0.45), (92, 22)],
        [(30, 38), (-88, 34)],
    )
    canvas.part(dome, cloth)
    for x, low in ((-52, 36), (14, 36), (62, 31)):
        canvas.stroke(bezier((4, -tall), (x * 1.15, -tall * 0.6), (x, low)), cloth.seam, 1.2)
        canvas.disc((4 + x * 0.62, -tall * 0.52), 2.4, cloth.seam)
    brim = trace(
        (34, 30),
        [(72, 4), (long - 16, 8), (long, 48)],
        [(132, 40), (80, 44), (34, 30)],
    )
    canvas.part(brim, brim_cloth)
    for inset in (0.86, 0.72):
        arc = bezier(
            (48, 30), (80, 4 + 26 * (1 - inset)), (long * inset, 12), (long * inset + 12, 41)
        )
        canvas.stitches(arc, cloth.seam, dash=3)
    canvas.disc((4, -tall), 5, tone(cloth.main, 0.9))
    if rng.random() < 0.55:
        badge = ellipse((44, -tall * 0.28), (17, 19))
        canvas.part(badge, cloth.colours[1], relief=0.4)
        canvas.part(ellipse((46, -tall * 0.28), (9, 10)), cloth.colours[2], relief=0.4)


def _beanie(canvas: Canvas, cloth: Fabric, rng: Rng) -> None:
    tall, wide, deep = rng.uniform(85, 118), rng.uniform(78, 90), rng.uniform(34, 50)
    if rng.random() < 0.5:
        radius = rng.uniform(20, 29)
        ball, angle = ellipse((0, -tall - radius * 0.5), (radius, radius)), np.arange(48)
        ball[:, 1] += np.where(angle % 2, 2.5, -2.5)
        canvas.part(ball, cloth.colours[1])
    half = trace((0, -tall), [(wide * 0.75, -tall), (wide, -tall * 0.35), (wide, 40)], [(0, 40)])
    ribs = np.linspace(-0.9, 0.9, 13)
    folds: list[Fold] = [
        (bezier((x * 20, -tall), (x * wide * 0.95, -tall * 0.6), (x * wide, 30)), 3, 0.10)
        for x in ribs
    ]
    canvas.part(symmetric(half), cloth, folds=folds)
    cuff = trace(
        (0, 32),
        [(wide * 0.7, 32), (wide + 4, 24)],
        [(wide + 7, 24 + deep)],
        [(wide * 0.7, 36 + deep), (0, 36 + deep)],
    )
    ribbed: list[Fold] = [
        (np.array([(x * wide, 30), (x * wide * 1.03, 32 + deep)]), 3, 0.12) for x in ribs
    ]
    canvas.part(symmetric(cuff), cloth.trim, folds=ribbed)
    if rng.random() < 0.6:
        canvas.part(
            np.array([(14, 42), (44, 41), (44, 60), (14, 61)], float), cloth.colours[2], relief=0.4
        )


def _fedora(canvas: Canvas, cloth: Fabric, rng: Rng) -> None:
    wide, tall, flat = rng.uniform(118, 150), rng.uniform(72, 96), rng.uniform(20, 34)
    soft = rng.random() < 0.45
    canvas.part(ellipse((0, 30), (wide, flat)), cloth)
    canvas.stroke(ellipse((0, 30), (wide - 5, flat - 3))[2:23], cloth.seam, 1.0, opacity=0.7)
    dip = 0 if soft else 15
    half = trace(
        (0, -tall + dip),
        [(26, -tall - 6), (48, -tall)],
        [(72, -tall * (0.85 if soft else 0.98)), (76, 28)],
        [(40, 44), (0, 44)],
    )
    folds: list[Fold] = (
        [] if soft else [(bezier((-2, -tall + 12), (2, -tall * 0.6), (0, -tall * 0.4)), 9, -0.22)]
    )
    canvas.part(symmetric(half), cloth, folds=folds)
    band = trace((0, 14), [(40, 14), (75, 3)], [(76, 26)], [(40, 43), (0, 43)])
    canvas.part(
        symmetric(band), cloth.colours[2] if rng.random() < 0.5 else cloth.colours[1], relief=0.6
    )
    if rng.random() < 0.5:
        for tip in (14, 30):
            knot = trace((58, 20), [(58 + tip, 4), (62 + tip, 22), (58, 24)])
            canvas.part(knot, tone(cloth.colours[2], 0.85))


def _bucket(canvas: Canvas, cloth: Fabric, rng: Rng) -> None:
    tall, wide, low = rng.uniform(66, 84), rng.uniform(105, 128), rng.uniform(58, 74)
    crown = trace(
        (0, -tall), [(44, -tall), (60, -tall + 8)], [(70, -tall + 16), (78, 14)], [(0, 26)]
    )
    brim = trace(
        (0, 12), [(50, 12), (78, 4)], [(wide, low - 16)], [(wide * 0.6, low + 8), (0, low + 8)]
    )
    canvas.part(symmetric(brim), cloth.colours[1] if rng.random() < 0.25 else cloth)
    for share in (0.35, 0.6, 0.85):
        x, y = 78 + (wide - 78) * share, 6 + (low - 20) * share
        canvas.stitches(bezier((-x, y), (0, y + 22), (x, y)), cloth.seam, dash=3)
    canvas.part(symmetric(crown), cloth)
    canvas.stroke(bezier((-60, -tall + 9), (0, -tall + 22), (60, -tall + 9)), cloth.seam, 1.1)
    canvas.stroke(bezier((-78, 13), (0, 27), (78, 13)), cloth.seam, 1.4)
    for x in (-50, 50):
        canvas.disc((x, -8), 3, rgb("c9c5bd"))
