"""How well pictures that show no product are found among real photos.

    python -m benchmarks.oddity [--data FOLDER] [--models default,imagenet,small] [--seeds 0,1,2]

Logos, banners, size charts, colour swatches, screenshots, placeholders and landscapes are drawn and
put among the photos, under labels drawn by chance: 0.5 % and 2 % of them, once for each seed. Ours
is `curation.oddity`, as it is and with five more such pictures that people have marked. The
baselines are the model's own doubt, 1 less its largest probability (Hendrycks and Gimpel 2017), and
the mean distance to the 10 nearest of all, features of unit length (Sun et al. 2022, "Out-of-
distribution detection with deep nearest neighbors"). Printed are the average precision, and of the
n oddest, n as many as were planted, the share that shows no product; then what looks odd by ours.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import photos
from benchmarks.non_products import KINDS, draw
from benchmarks.planting import Flags, Scores, average_precision
from catalog_ai.curation.look_alikes import nearest
from catalog_ai.curation.oddity import ODD, oddity
from catalog_ai.data.sources import normal_label
from catalog_ai.images import decode, read_photo

SHARES = (0.005, 0.02)
MARKED = 5
NEAREST = 10
_DRAWN = 280

Features = NDArray[np.float32]


def suspicions(
    features: Features, shares: Features, labels: NDArray[np.int64], marked: Features
) -> Iterator[tuple[str, Scores]]:
    """Yield each score's name and the score: (N,), higher = less like a product."""
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    if shares.shape[1]:
        yield "the model's own doubt", 1 - shares.max(1)
    near = nearest(units, NEAREST)
    yield f"distance to the {NEAREST} nearest", _mean_distance(units, near)
    yield "ours", oddity(features, labels)
    yield f"ours, {MARKED} marked", oddity(features, labels, marked)


def _mean_distance(units: Features, near: NDArray[np.int64]) -> Scores:
    distances = [np.linalg.norm(units[around] - unit, axis=1).mean()
                 for unit, around in zip(units, near, strict=True)]  # fmt: skip
    return np.array(distances)


def measured(score: Scores, odd: Flags) -> tuple[float, float, int, float]:
    """Return average precision, precision at n, photos that look odd, share of the odd found."""
    first = np.argsort(-score, kind="stable")[: int(odd.sum())]
    looks = score > ODD
    found = float(looks[odd].mean())
    return average_precision(score, odd), float(odd[first].mean()), int(looks[~odd].sum()), found


Table = dict[str, list[list[tuple[float, float, int, float]]]]


def report(model: str, data: str | None, seeds: Sequence[int]) -> Table:
    """Print the table of one model and return it: name → share → seed → figures."""
    items = [item for part in photos.seven(photos.read(data)) for item in part]
    labels = np.array([photos.CLASSES.index(normal_label(item.label or "")) for item in items])
    rng = np.random.default_rng(0)
    pictures = chain(
        (decode(read_photo(item.path)) for item in items),
        (draw(KINDS[i % len(KINDS)], rng) for i in range(_DRAWN)),
    )
    seen = photos.look(model, pictures)
    features = seen.features.astype(np.float32)
    real, drawn = features[: len(items)], features[len(items) :]
    real_shares, drawn_shares = np.split(seen.probabilities, [len(items)])
    heads = "".join(f"{f'{share:.1%}: AP':>14}{'at n':>8}" for share in SHARES)
    print(
        f"\n{f'{model}, {len(items):,} photos':32}{heads}{'photos that look odd':>24}{'found':>8}"
    )
    table: Table = {}
    for share in SHARES:
        for seed in seeds:
            count = round(share * len(items))
            rng = np.random.default_rng(seed)
            chosen = rng.choice(_DRAWN, count + MARKED, replace=False)
            planted, marked = chosen[:count], chosen[count:]
            odd = np.arange(len(items) + count) >= len(items)
            scores = suspicions(
                np.concatenate([real, drawn[planted]]),
                np.concatenate([real_shares, drawn_shares[planted]]),
                np.append(labels, rng.integers(len(photos.CLASSES), size=count)),
                drawn[marked],
            )
            for name, score in scores:
                columns = table.setdefault(name, [[] for _ in SHARES])
                columns[SHARES.index(share)].append(measured(score, odd))
    for name, columns in table.items():
        means = [np.mean(runs, axis=0) for runs in columns]
        words = "".join(f"{mean[0]:>14.3f}{mean[1]:>8.3f}" for mean in means)
        flags = f"{means[-1][2]:>24.1f}{means[-1][3]:>8.0%}" if name.startswith("ours") else ""
        print(f"{name:32}{words}{flags}", flush=True)
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = photos.parser("oddity", __doc__.splitlines()[0])
    parser.add_argument("--models", default="default,imagenet,small", help="default: %(default)s")
    parser.add_argument("--seeds", default="0,1,2", help="default: %(default)s")
    options = parser.parse_args(arguments)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    found = {model: report(model, options.data, seeds) for model in options.models.split(",")}
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    sys.exit(main())
