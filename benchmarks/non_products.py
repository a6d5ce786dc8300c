"""Pictures that turn up in a delivery and show no product, drawn: no photo of them is needed.

Each drawing differs in colour, size and words, so that ten logos are ten logos and not one.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Rng = np.random.Generator
Colour = tuple[int, int, int]

_WORDS = (
    *("LINEN", "Atelier", "nord", "SALE", "Mode & Co", "BASIC", "heritage", "Studio 9", "VERA"),
    *("new in", "free shipping", "20 % off", "summer", "denim days", "last chance", "members only"),
)
_COMING = ("image coming soon", "no image", "photo follows", "not available", "preview")
_SIZES = ("XS", "S", "M", "L", "XL", "XXL")
_MEASURES = ("chest", "waist", "hips", "length", "sleeve", "inseam")


def draw(kind: str, rng: Rng) -> NDArray[np.uint8]:
    """Return one of `KINDS` as (H, W, 3) uint8."""
    width, height = (int(side) for side in rng.integers(360, 640, 2))
    picture = _DRAWN[kind](Image.new("RGB", (width, height), _pale(rng)), rng)
    return np.asarray(picture.convert("RGB"))


def _logo(picture: Image.Image, rng: Rng) -> Image.Image:
    pen, (width, height) = ImageDraw.Draw(picture), picture.size
    middle, radius = (width / 2, height * 0.42), min(picture.size) * rng.uniform(0.15, 0.3)
    box = (*(side - radius for side in middle), *(side + radius for side in middle))
    ink = _strong(rng)
    shape = rng.integers(4)
    if shape == 0:
        pen.ellipse(box, fill=ink)
    elif shape == 1:
        pen.rectangle(box, outline=ink, width=14)
    elif shape == 2:
        pen.regular_polygon((*middle, radius), int(rng.integers(3, 8)), fill=ink)
    else:
        pen.arc(box, 30, 300, fill=ink, width=22)
    _write(pen, _any(rng, _WORDS), (width / 2, height * 0.82), height // 9, ink)
    return picture


def _banner(picture: Image.Image, rng: Rng) -> Image.Image:
    picture.paste(_strong(rng), (0, 0, *picture.size))
    pen, (width, height) = ImageDraw.Draw(picture), picture.size
    for line in range(int(rng.integers(1, 4))):
        place = (width / 2, height * (0.25 + 0.22 * line))
        _write(pen, _any(rng, _WORDS), place, height // int(rng.integers(6, 12)), _pale(rng))
    return picture


def _size_chart(picture: Image.Image, rng: Rng) -> Image.Image:
    pen, (width, height) = ImageDraw.Draw(picture), picture.size
    columns, rows = int(rng.integers(3, 6)), int(rng.integers(4, 7))
    ink, across, down = _strong(rng), width / (columns + 1.0), height / (rows + 2.0)
    _write(pen, "size chart", (width / 2, down / 2), int(down / 2), ink)
    for row in range(rows):
        for column in range(columns):
            left, top = across * (column + 0.5), down * (row + 1)
            pen.rectangle((left, top, left + across, top + down), outline=ink, width=2)
            head = _SIZES[column % 6] if row == 0 else str(int(rng.integers(30, 120)))
            words = _MEASURES[row % 6] if column == 0 and row else head
            _write(pen, words, (left + across / 2, top + down / 2), int(down / 3), ink)
    return picture


def _swatches(picture: Image.Image, rng: Rng) -> Image.Image:
    pen, (width, height) = ImageDraw.Draw(picture), picture.size
    columns, rows = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    for row in range(rows):
        for column in range(columns):
            left, top = column * width // columns, row * height // rows
            box = (left, top, left + width // columns, top + height // rows)
            pen.rectangle(box, fill=_strong(rng))
    return picture


def _screenshot(picture: Image.Image, rng: Rng) -> Image.Image:
    picture.paste((250, 250, 252), (0, 0, *picture.size))
    pen, (width, height) = ImageDraw.Draw(picture), picture.size
    bar, ink = height // 10, _strong(rng)
    pen.rectangle((0, 0, width, bar), fill=ink)
    _write(pen, _any(rng, _WORDS), (width / 2, bar / 2), bar // 2, (255, 255, 255))
    side = int(width * rng.uniform(0.15, 0.35))
    pen.rectangle((0, bar, side, height), fill=(232, 234, 240))
    for line in range(int(rng.integers(8, 16))):
        top = bar + 20 + line * (height - bar) // 16
        grey = (int(rng.integers(60, 170)),) * 3
        pen.rectangle((side + 16, top, side + 16 + rng.uniform(0.3, 0.9) * (width - side - 32),
                       top + height // 60), fill=grey)  # fmt: skip
        pen.rectangle((10, top, side - 14, top + height // 70), fill=(180, 184, 196))
    pen.rounded_rectangle((width - 110, height - 50, width - 16, height - 16), 8, fill=ink)
    return picture


def _placeholder(picture: Image.Image, rng: Rng) -> Image.Image:
    grey = int(rng.integers(200, 256))
    picture.paste((grey,) * 3, (0, 0, *picture.size))
    pen, (width, height) = ImageDraw.Draw(picture), picture.size
    ink: Colour = (int(rng.integers(90, 170)),) * 3
    if rng.random() < 0.6:
        left, top, side = width * 0.35, height * 0.3, width * 0.3
        pen.rectangle((left, top, left + side, top + side * 0.75), outline=ink, width=8)
        pen.ellipse((left + side * 0.35, top + side * 0.2, left + side * 0.65, top + side * 0.5),
                    outline=ink, width=8)  # fmt: skip
    _write(pen, _any(rng, _COMING), (width / 2, height * 0.7), height // 16, ink)
    return picture


def _landscape(picture: Image.Image, rng: Rng) -> Image.Image:
    width, height = picture.size
    horizon = int(height * rng.uniform(0.35, 0.65))
    pixels = np.empty((height, width, 3), np.float32)
    sky, ground = rng.uniform(90, 255, (2, 3)), rng.uniform(20, 160, (2, 3))
    for part, (start, stop) in ((sky, (0, horizon)), (ground, (horizon, height))):
        mix = np.linspace(0, 1, stop - start)[:, None]
        pixels[start:stop] = (part[0] * (1 - mix) + part[1] * mix)[:, None]
    for depth in range(int(rng.integers(1, 4))):
        slope = np.cumsum(rng.normal(0, 1, width)) * height / 400
        slope -= np.linspace(slope[0], slope[-1], width)
        ridge = horizon - height * (0.18 - 0.05 * depth) + 4 * slope
        hill = np.arange(height)[:, None] > ridge[None]
        hill &= np.arange(height)[:, None] < horizon
        pixels[hill] = rng.uniform(30, 150, 3)
    pixels += rng.normal(0, rng.uniform(2, 14), pixels.shape)
    made = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return made.filter(ImageFilter.GaussianBlur(1.2))


def _write(
    pen: ImageDraw.ImageDraw, words: str, place: tuple[float, float], size: int, ink: Colour
) -> None:
    pen.text(place, words, font=ImageFont.load_default(max(10, size)), fill=ink, anchor="mm")


def _any(rng: Rng, words: tuple[str, ...]) -> str:
    return words[rng.integers(len(words))]


def _pale(rng: Rng) -> Colour:
    red, green, blue = (int(value) for value in rng.integers(225, 256, 3))
    return red, green, blue


def _strong(rng: Rng) -> Colour:
    red, green, blue = (int(value) for value in rng.integers(0, 210, 3))
    return red, green, blue


_DRAWN: dict[str, Callable[[Image.Image, Rng], Image.Image]] = {
    "logo": _logo,
    "banner": _banner,
    "size chart": _size_chart,
    "colour swatches": _swatches,
    "screenshot": _screenshot,
    "placeholder": _placeholder,
    "landscape": _landscape,
}
KINDS = tuple(_DRAWN)
