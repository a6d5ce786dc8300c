"""How many copies of real photos are found under another label, and how much else is taken for one.

    python -m benchmarks.twins [--data FOLDER] [--models default,imagenet,small] [--photos 2000]

Of a sample of the photos every twentieth is copied in each of four ways: saved again at a JPEG
quality of 60, scaled to 80 % of its size, cut by 3 % on each side, made 8 % brighter. A copy
carries another label, drawn by chance. The copies of one way lie among all photos at a time. Ours
is `curation.twins` on what the network sees; the baseline compares vectors alone, as where features
are not stored. Printed are the share of the copies that are found with their originals, and of
all products that are taken for a twin the share that is such a pair.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from benchmarks import photos
from catalog_ai.curation.twins import twins
from catalog_ai.data.sources import SourceItem, normal_label
from catalog_ai.images import Pixels, decode, read_photo
from catalog_ai.inference.predicting import Outputs

ONE_IN = 20
QUALITY = 90  # at which every copy but the first is saved
Numbers = NDArray[np.int64]


def saved(image: Image.Image, quality: int = QUALITY) -> Pixels:
    """Return what is left of a picture in a file."""
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return decode(file.getvalue())


def scaled(image: Image.Image) -> Pixels:
    """Return a copy of 80 % of the size."""
    return saved(image.resize((round(0.8 * image.width), round(0.8 * image.height))))


def cut(image: Image.Image) -> Pixels:
    """Return a copy without 3 % at each side."""
    aside, above = round(0.03 * image.width), round(0.03 * image.height)
    return saved(image.crop((aside, above, image.width - aside, image.height - above)))


def brighter(image: Image.Image) -> Pixels:
    """Return a copy that is 8 % brighter."""
    return saved(ImageEnhance.Brightness(image).enhance(1.08))


WAYS: dict[str, Callable[[Image.Image], Pixels]] = {
    "saved again": lambda image: saved(image, 60),
    "scaled": scaled,
    "cut": cut,
    "brighter": brighter,
}


def pictures(items: Sequence[SourceItem], copied: Numbers) -> Iterator[Pixels]:
    """Yield all photos, then the copies, one way after the other."""
    for item in items:
        yield decode(read_photo(item.path))
    for way, row in ((way, row) for way in WAYS.values() for row in copied):
        yield way(Image.fromarray(decode(read_photo(items[row].path))))


def found(seen: Outputs, labels: Numbers, copied: Numbers, way: int, plain: bool) -> Numbers:
    """Return (pairs found, copies, taken for a twin, of those a copy or its original)."""
    count, rng = len(labels), np.random.default_rng(way)
    copies = count + way * len(copied) + np.arange(len(copied))
    rows = np.append(np.arange(count), copies)
    kinds = len(np.unique(labels))
    others = (labels[copied] + rng.integers(1, kinds, size=len(copied))) % kinds
    twin, _ = twins(
        seen.vectors[rows],
        np.append(labels, others),
        np.arange(len(rows)),
        features=None if plain else seen.features[rows].astype(np.float32),
    )
    places = count + np.arange(len(copied))
    pairs, back = twin[places] == copied, twin[copied] == places
    both = int((pairs & back).sum())
    return np.array([both, len(copied), int((twin >= 0).sum()), int(pairs.sum() + back.sum())])


def report(model: str, items: Sequence[SourceItem]) -> dict[str, dict[str, list[int]]]:
    """Print the lines of one model and return its counts: compared with → way → as `found`."""
    names = sorted({normal_label(item.label or "") for item in items})
    labels = np.array([names.index(normal_label(item.label or "")) for item in items])
    copied = np.arange(0, len(items), ONE_IN)
    seen = photos.look(model, pictures(items, copied))
    table: dict[str, dict[str, list[int]]] = {}
    for plain, compared in ((False, "features"), (True, "vectors")):
        counts = [found(seen, labels, copied, way, plain) for way in range(len(WAYS))]
        shares = "".join(f"{both / of:>13.0%}" for both, of, _, _ in counts)
        taken, right = np.sum(counts, axis=0)[2:]
        precision = f"{right / taken:.1%}" if taken else "–"
        print(f"{f'{model}, {compared}':24}{shares}{precision:>12} of {taken:,}", flush=True)
        table[compared] = {way: row.tolist() for way, row in zip(WAYS, counts, strict=True)}
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = photos.parser("twins", __doc__.splitlines()[0])
    parser.add_argument("--models", default="default,imagenet,small", help="default: %(default)s")
    parser.add_argument("--photos", type=int, default=2_000, help="default: %(default)s")
    options = parser.parse_args(arguments)
    items = [item for item in photos.read(options.data).items if item.label]
    chosen = np.random.default_rng(0).permutation(len(items))[: options.photos]
    items = [items[row] for row in sorted(chosen)]
    heads = "".join(f"{way:>13}" for way in WAYS)
    print(f"{f'{len(items):,} photos':24}{heads}{'are copies':>12}")
    figures = {model: report(model, items) for model in options.models.split(",")}
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    sys.exit(main())
