"""Backgrounds, props and shadows: how one garment comes to be photographed differently."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from catalog_ai.data.drawing.canvas import (
    HEIGHT,
    WIDTH,
    Canvas,
    Rng,
    bezier,
    ellipse,
    symmetric,
    trace,
)
from catalog_ai.data.drawing.fabrics import Colour, mix, rgb, tone

Pixels = NDArray[np.float32]
TINTS = tuple(
    rgb(code)
    for code in (
        "f3f1ec",
        "eae6df",
        "e4e8ea",
        "efe4dc",
        "e3e7df",
        "f0e9ee",
        "dfe3ea",
        "f6f2e6",
        "d9d6d1",
        "fafafa",
    )
)
WOODS = tuple(rgb(code) for code in ("d9c2a0", "b89268", "cfc6b8", "8f6f52"))
METAL, BEECH, LINEN = rgb("9a9ca0"), rgb("c79d6b"), rgb("e6dccb")


def background(rng: Rng) -> Image.Image:
    """Return an RGB picture of WIDTH x HEIGHT: paper, a studio, wood, linen or plaster."""
    draw = rng.choice(
        np.array([_paper, _studio, _wood, _linen, _plaster]), p=[0.3, 0.25, 0.15, 0.15, 0.15]
    )
    # Without grain soft gradients show as bands.
    grain = rng.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32) * np.float32(0.9)
    return Image.fromarray(np.clip(draw(rng) + grain, 0, 255).astype(np.uint8))


def _grid() -> tuple[Pixels, Pixels]:
    """Return x (1, WIDTH) and y (HEIGHT, 1), both 0..1."""
    x = np.linspace(0, 1, WIDTH, dtype=np.float32)[None, :]
    return x, np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None]


def _noise(rng: Rng, rows: int, columns: int) -> Pixels:
    """Return (HEIGHT, WIDTH) smooth noise of about -1..1 from a grid of rows x columns."""
    coarse = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32))
    return np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)) * np.float32(0.6)


def _tint(rng: Rng) -> Colour:
    return TINTS[int(rng.integers(len(TINTS)))]


def _lit(colour: Colour, light: NDArray[np.floating[Any]]) -> Pixels:
    """Return (HEIGHT, WIDTH, 3) of one colour under the light, 1 = as it is."""
    full = np.broadcast_to(light, (HEIGHT, WIDTH))
    return np.asarray(np.asarray(colour, np.float32) * full[:, :, None], np.float32)


def _paper(rng: Rng) -> Pixels:
    """An even sheet, a little brighter in the middle."""
    x, y = _grid()
    far = (x - rng.uniform(0.3, 0.7)) ** 2 + (y - rng.uniform(0.25, 0.6)) ** 2
    return _lit(_tint(rng), 1.03 - 0.16 * far)


def _studio(rng: Rng) -> Pixels:
    """A wall that bends into a floor."""
    x, y = _grid()
    wall, floor = _tint(rng), tone(_tint(rng), 0.94)
    share = 1 / (1 + np.exp(-(y - rng.uniform(0.68, 0.86)) * 55))
    light = 1.02 - 0.08 * np.abs(x - rng.uniform(0.2, 0.8))
    return _lit(wall, light * (1 - share)) + _lit(floor, light * share)


def _wood(rng: Rng) -> Pixels:
    """Planks with a grain, upright or across."""
    x, y = _grid()
    upright = rng.random() < 0.5
    planks = int(rng.integers(4, 7))
    along = (x if upright else y) * np.float32(planks)
    shade = 1 + rng.uniform(-0.06, 0.06, planks + 1)[np.floor(along).astype(int)]
    grain = _noise(rng, 6, 90) if upright else _noise(rng, 120, 5)
    gap = np.where(np.mod(along, 1) < 0.018, 0.7, 1.0)
    return _lit(WOODS[int(rng.integers(len(WOODS)))], shade * gap * (1 + 0.05 * grain))


def _linen(rng: Rng) -> Pixels:
    """A cloth with a weave and a few soft waves."""
    weave = _noise(rng, HEIGHT, 40) + _noise(rng, 50, WIDTH)
    return _lit(_tint(rng), 0.97 + 0.018 * weave + 0.012 * _noise(rng, 5, 4))


def _plaster(rng: Rng) -> Pixels:
    """A wall with a slanting light."""
    x, y = _grid()
    edge = y + rng.uniform(-0.8, 0.8) * (x - 0.5) - rng.uniform(0.2, 0.9)
    light = 1 + 0.07 * rng.choice([-1, 1]) * np.tanh(edge * 9)
    rough = 0.96 + 0.008 * _noise(rng, 40, 30) + 0.006 * _noise(rng, 160, 120)
    return _lit(mix(_tint(rng), TINTS[int(rng.integers(3))], 0.5), light * rough)


def prop_behind(canvas: Canvas, prop: str, top_y: float) -> None:
    """Draw what carries the garment: a hanger, a tailor's bust, clips or a head."""
    if prop == "hanger":
        hook = trace(
            (0, top_y - 2),
            [(0, top_y - 16)],
            [(14, top_y - 22), (12, top_y - 38)],
            [(6, top_y - 50), (-8, top_y - 42)],
        )
        canvas.stroke(hook, METAL, 3)
        bar = bezier((-60, top_y + 20), (-30, top_y + 2), (0, top_y - 3))
        for side in (bar, bar * (-1, 1)):
            canvas.stroke(side, BEECH, 7)
    elif prop == "bust":
        neck = trace(
            (0, top_y - 34),
            [(17, top_y - 34), (18, top_y - 28)],
            [(17, top_y + 5), (40, top_y + 18)],
            [(0, top_y + 34)],
        )
        canvas.stroke(np.array([(0.0, top_y), (0.0, 232.0)]), BEECH, 7)
        canvas.part(ellipse((0, 232), (48, 8)), BEECH)
        canvas.part(symmetric(neck), LINEN)
        canvas.part(ellipse((0, top_y - 35), (19, 6)), BEECH)
    elif prop == "clips":
        hook = trace(
            (0, top_y - 26),
            [(0, top_y - 38)],
            [(14, top_y - 44), (10, top_y - 58)],
            [(2, top_y - 66), (-8, top_y - 58)],
        )
        canvas.stroke(hook, METAL, 3)
        canvas.stroke(np.array([(-52.0, top_y - 26), (52.0, top_y - 26)]), BEECH, 7)
        for x in (-34, 34):
            canvas.stroke(np.array([(x, top_y - 26), (x, top_y + 2)], float), METAL, 9)
    elif prop == "head":
        face = trace(
            (0, -60),
            [(70, -60), (74, 30), (52, 84)],
            [(38, 112), (30, 122)],
            [(28, 160), (52, 178)],
            [(0, 188)],
        )
        canvas.part(ellipse((0, 190), (50, 9)), BEECH)
        canvas.part(symmetric(face), LINEN)


def compose(scene: Image.Image, item: Image.Image, *, height: float) -> Image.Image:
    """Lay the RGBA item on the scene with a soft shadow; `height` above the ground, 0..1."""
    alpha = item.getchannel("A")
    for offset, blur, strength in ((3, 3, 0.30), (7 + 14 * height, 7 + 9 * height, 0.30)):
        fallen = Image.new("L", alpha.size)
        fallen.paste(alpha, (round(offset * 0.6), round(offset)))
        shadow = fallen.filter(ImageFilter.GaussianBlur(blur)).point(
            [round(v * strength) for v in range(256)]
        )
        scene.paste((46, 40, 44), (0, 0), shadow)
    scene.paste(item, (0, 0), item)
    return scene
