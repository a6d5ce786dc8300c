"""The generated sample catalogue: something to look at on a machine without photos.

Some 600 drawn product pictures of seven categories come in style families: the members of a
family share cut, fabric and palette and differ in pose, presentation and background, so that
"similar" has a meaning one can see. A few carry a wrong label, as real catalogues do; which ones
is written to `truth.csv`, beside the photos rather than among them.
"""

import csv
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from catalog_ai.data.drawing.canvas import Canvas, Pose, Rng
from catalog_ai.data.drawing.dresses import draw_dress
from catalog_ai.data.drawing.fabrics import DENIMS, LEATHERS, PALETTES, Fabric
from catalog_ai.data.drawing.hats import draw_hat
from catalog_ai.data.drawing.legs import draw_pants, draw_shorts
from catalog_ai.data.drawing.scenes import background, compose, prop_behind
from catalog_ai.data.drawing.shoes import draw_shoes
from catalog_ai.data.drawing.tops import draw_longsleeve, draw_tshirt
from catalog_ai.errors import SourceError, UsageError

WRONG_SHARE = 0.04
LOOK_ALIKE_SHARE = 0.6  # of the wrong labels; the others may be any category
LOOK_ALIKES: dict[str, tuple[str, ...]] = {
    "dress": ("longsleeve", "t-shirt"),
    "hat": ("shoes",),
    "longsleeve": ("dress", "t-shirt"),
    "pants": ("shorts",),
    "shoes": ("hat",),
    "shorts": ("pants",),
    "t-shirt": ("dress", "longsleeve"),
}
JPEG_QUALITY = 88


@dataclass(frozen=True)
class Category:
    """How the garments of one category are drawn, dyed and shown."""

    draw: Callable[[Canvas, Fabric, Rng, float], None]
    share: float  # of all products
    patterns: dict[str, float]  # weights
    props: dict[str, float]  # weights; "" = laid flat
    top_y: float  # where a hanger carries it, in points
    scale: float


PRINTS = dict.fromkeys(
    ("stripes", "breton", "gingham", "tartan", "dots", "block", "pinstripes"), 1.0
)
FLOWERY = PRINTS | {"flowers": 3.0, "windowpane": 1.0, "chevron": 1.0, "diagonal": 0.5}
HANGING = {"": 0.4, "hanger": 0.35, "bust": 0.25}
CATEGORIES: dict[str, Category] = {
    "dress": Category(
        draw_dress, 0.15, FLOWERY | {"plain": 5, "knit": 1, "denim": 0.7}, HANGING, -185, 1.02
    ),
    "hat": Category(
        draw_hat, 0.10, PRINTS | {"plain": 8, "knit": 3, "denim": 1}, {"": 0.6, "head": 0.4}, 0, 1.0
    ),
    "longsleeve": Category(
        draw_longsleeve,
        0.16,
        FLOWERY | {"plain": 5, "knit": 4, "logo": 2, "denim": 1},
        HANGING,
        -130,
        1.08,
    ),
    "pants": Category(
        draw_pants, 0.16, PRINTS | {"plain": 8, "denim": 6}, {"": 0.65, "clips": 0.35}, -178, 1.0
    ),
    "shoes": Category(draw_shoes, 0.16, {"plain": 8, "leather": 6} | PRINTS, {"": 1}, 0, 1.1),
    "shorts": Category(
        draw_shorts,
        0.11,
        FLOWERY | {"plain": 7, "denim": 5},
        {"": 0.65, "clips": 0.35},
        -95,
        1.16,
    ),
    "t-shirt": Category(draw_tshirt, 0.16, FLOWERY | {"plain": 6, "logo": 6}, HANGING, -130, 1.22),
}


@dataclass(frozen=True)
class Product:
    """One picture to be drawn; the same `style` means the same garment."""

    sku: str
    style: int
    label_true: str
    label_given: str


def plan(count: int, seed: int) -> list[Product]:
    """Return `count` products in the order of their SKUs, which say nothing about the category."""
    rng = np.random.default_rng([seed, 0])
    names, weights = list(CATEGORIES), [category.share for category in CATEGORIES.values()]
    styles: list[tuple[int, str]] = []
    while len(styles) < count:
        # Whichever category is furthest behind its share comes next: none is left out.
        drawn = [sum(label == name for _, label in styles) for name in names]
        label = names[int(np.argmin([(d + 1) / w for d, w in zip(drawn, weights, strict=True)]))]
        family = styles[-1][0] + 1 if styles else 0
        styles += [(family, label)] * int(rng.integers(4, 9))
    chosen = [styles[i] for i in rng.permutation(count)]
    wrong = _wrong_labels(chosen, round(WRONG_SHARE * count), rng)
    return [
        Product(f"CC-{i + 1:05d}", style, label, wrong.get(i, label))
        for i, (style, label) in enumerate(chosen)
    ]


def _wrong_labels(styles: list[tuple[int, str]], count: int, rng: Rng) -> dict[int, str]:
    """Choose products to mislabel, at most one of a family: a slip, not a style filed elsewhere."""
    wrong: dict[int, str] = {}
    hit: set[int] = set()
    for i in rng.permutation(len(styles)):
        style, label = styles[i]
        if len(wrong) == count:
            break
        if style in hit:
            continue
        alike = rng.random() < LOOK_ALIKE_SHARE
        others = LOOK_ALIKES[label] if alike else [name for name in CATEGORIES if name != label]
        wrong[int(i)] = str(rng.choice(others))
        hit.add(style)
    return wrong


def _fabric(category: Category, rng: Rng) -> Fabric:
    weights = np.array(list(category.patterns.values()))
    pattern = str(rng.choice(list(category.patterns), p=weights / weights.sum()))
    colours = {"denim": DENIMS, "leather": LEATHERS}.get(pattern, PALETTES)
    return Fabric(colours[int(rng.integers(len(colours)))], pattern, float(rng.uniform(11, 24)))


def draw_product(product: Product, seed: int) -> Image.Image:
    """Return the RGB picture of a product: the family decides the garment, the SKU the rest."""
    category = CATEGORIES[product.label_true]
    family = np.random.default_rng([seed, 1, product.style])
    own = np.random.default_rng([seed, 2, int(product.sku[3:])])
    prop = str(own.choice(list(category.props), p=list(category.props.values())))
    pose = Pose(
        angle=float(np.clip(own.normal(0, 0.03 if prop else 0.11), -0.3, 0.3)),
        scale=category.scale * float(own.uniform(0.84, 1.04)),
        shift=(float(own.normal(0, 8)), float(own.normal(4, 9))),
        flipped=bool(own.random() < 0.5),
    )
    canvas = Canvas(pose)
    if prop:
        prop_behind(canvas, prop, category.top_y)
    drape = float(own.uniform(0.6, 0.9) if prop in ("hanger", "bust") else own.uniform(0.8, 1.2))
    category.draw(canvas, _fabric(category, family), family, drape)
    height = float(own.uniform(0.3, 1.0) if prop else own.uniform(0.0, 0.4))
    return compose(background(own), canvas.picture(), height=height)


def write_sample(
    folder: Path,
    *,
    count: int = 600,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> Path:
    """Draw a sample catalogue into `folder` and return `folder / "photos"`, ready to be ingested.

    Photos are `photos/<label given>/<sku>.jpg`, 360 x 480 pixels; `truth.csv` beside them has
    `sku, label_given, label_true` of every product. The same count and seed give the same bytes
    (with the same Pillow). Everything is written elsewhere and renamed at the end, so an
    interrupted call leaves nothing behind. `progress` is told the share done, 0..1.

    Raises UsageError if `folder` is there already, or `count` is below 1.
    """
    if count < 1:
        raise UsageError(f"A sample of {count} products cannot be drawn: ask for at least 1.")
    if folder.exists():
        raise UsageError(f"{folder} exists already: delete it or name another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        products = plan(count, seed)
        for done, product in enumerate(products, start=1):
            shelf = unfinished / "photos" / product.label_given
            shelf.mkdir(parents=True, exist_ok=True)
            picture = draw_product(product, seed)
            picture.save(shelf / f"{product.sku}.jpg", quality=JPEG_QUALITY)
            if progress:
                progress(done / count, "Drawing the sample catalogue")
        _write_truth(unfinished / "truth.csv", products)
        unfinished.chmod(0o755)  # mkdtemp keeps others out
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder / "photos"


def _write_truth(path: Path, products: list[Product]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["sku", "label_given", "label_true"])
        writer.writerows([p.sku, p.label_given, p.label_true] for p in products)


@dataclass(frozen=True)
class Truth:
    """What the sample says about a product beside what is true."""

    label_given: str
    label_true: str

    @property
    def planted(self) -> bool:
        """Whether the label given is wrong."""
        return self.label_given != self.label_true


def read_truth(folder: Path) -> dict[str, Truth]:
    """Return the truth by SKU of the sample that `write_sample` drew into `folder`.

    Raises SourceError if there is none.
    """
    path = folder / "truth.csv"
    if not path.is_file():
        raise SourceError(f"{path} is missing: name a folder that a sample was drawn into.")
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["sku"]: Truth(row["label_given"], row["label_true"]) for row in csv.DictReader(file)
        }
