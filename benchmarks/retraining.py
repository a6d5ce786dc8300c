"""What a shop gains by "Retrain on the corrections", on photos that no model has ever seen.

    python -m benchmarks.retraining [--data FOLDER] [--models small,default] [--seed 0]

The shop is a real feed, `nightly-feed` of `CATALOG_TEST_PHOTOS`, with its own categories: those of
eight products or more, of which the shipped models know some. Half of it is the catalogue, the
other half is measured on; then the other way round, and the counts are added up. One label in ten
of the catalogue is made wrong. It is taken in by a shipped model, which is the baseline. Somebody
adds the categories that it does not know, labels are judged, and it is trained further twice: on
the labels as they came, and once a person has gone through what looks wrong and put it right.
Printed is the share of the photos measured on that each has right: all, those of categories that
the shipped model knew, and the others; how likely a difference as large comes about by chance
(McNemar's exact test); and how often the closest other photo measured on is of the same category.
The labels of the feed count as they are, also those that are wrong. `small` takes two minutes,
`default` half an hour on two cores.
"""

import json
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from benchmarks import photos
from benchmarks.planting import Labels, plant
from catalog_ai.config import settings
from catalog_ai.data.labels import NO_LABEL_WORDS
from catalog_ai.data.sources import Source, SourceItem, normal_label
from catalog_ai.evaluation.metrics import retrieval_metrics
from catalog_ai.evaluation.side_by_side import Answers, Tally
from catalog_ai.images import decode, read_photo
from catalog_ai.inference.embeddings import CatalogModel
from catalog_ai.services import assessing, categories, deciding, review, shipped
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from catalog_ai.services.ingest import ingest
from catalog_ai.services.retraining import retrain

WRONG = 0.10
ENOUGH = 8  # photos of a category
BASELINE = "as it is shipped"
TRAINED = ("trained on the labels as they came", "trained once they were put right")
_WIDTH = 36


def deliver(items: Sequence[SourceItem], labels: Sequence[str], folder: Path) -> Path:
    """Write a delivery of category folders in which each photo lies under its label."""
    for item, label in zip(items, labels, strict=True):
        target = folder / label / item.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.path, target)
    return folder


def put_right(catalogue: Catalogue, truth: dict[str, str]) -> None:
    """Decide about all that looks wrong as a person would."""
    while items := review.review_queue(catalogue, per_page=100, whole=False).items:
        for item in items:
            true = truth[item.sku]
            keeps = item.label == true
            deciding.decide(
                *(catalogue, item.product_id, "keep" if keeps else "relabel"),
                label=None if keeps else true,
                reviewer="Ana",
                request_key=f"decision {item.product_id}",
                seen_version=item.version,
                seen_sha256=item.image_sha256,
            )


class Half(NamedTuple):
    """Which photos are the catalogue, and which are measured on."""

    catalogue: list[SourceItem]
    others: list[SourceItem]


class Seen:
    """Photos as one model sees them."""

    def __init__(self, folder: Path, items: Sequence[SourceItem]) -> None:
        model = CatalogModel.load(folder)
        found = model.predict([decode(read_photo(item.path)) for item in items])
        self.classes = {normal_label(name) for name in model.classes}
        self.said = [normal_label(model.classes[best]) for best in found.probabilities.argmax(1)]
        names = sorted({named(item) for item in items})
        kinds = np.array([names.index(named(item)) for item in items])
        self.top1 = retrieval_metrics(found.vectors, kinds).top1


@dataclass(frozen=True)
class Outcome:
    """A model beside the shipped one on one half."""

    known: list[Answers]
    new: list[Answers]
    top1: float
    seconds: float

    @classmethod
    def of(
        cls, items: Sequence[SourceItem], old: Seen, new: Seen, seconds: float = 0.0
    ) -> "Outcome":
        """Return what the two say of `items`, by whether the first knew the category."""
        truth = [named(item) for item in items]
        answers = [Answers(*one) for one in zip(truth, old.said, new.said, strict=True)]
        return cls(
            [one for one in answers if one.truth in old.classes],
            [one for one in answers if one.truth not in old.classes],
            new.top1,
            seconds,
        )


def figures(halves: Sequence[Outcome]) -> dict[str, float]:
    """Return a model's figures on both halves, and its chance of being no better."""
    known = [answers for half in halves for answers in half.known]
    new = [answers for half in halves for answers in half.new]
    tallies = {"all": Tally.of(known + new), "known": Tally.of(known), "new": Tally.of(new)}
    shares = {part: tally.new_right / tally.photos for part, tally in tallies.items()}
    top1 = float(np.mean([half.top1 for half in halves]))
    seconds = sum(half.seconds for half in halves)
    return {**shares, "top1": top1, "chance": tallies["all"].chance, "seconds": seconds}


def named(item: SourceItem) -> str:
    return normal_label(item.label or "")


def measured(name: str, seed: int, half: Half, folder: Path) -> Iterator[tuple[str, Outcome]]:
    """Yield each model's name and what it says of the other half."""
    catalogue = open_catalogue(settings(home=folder / "home"))
    shipped.ensure_model(catalogue, name)
    truth = {item.path.stem: named(item) for item in half.catalogue}
    classes = sorted(set(truth.values()))
    right: Labels = np.array([classes.index(label) for label in truth.values()])
    given, _ = plant(right, classes, WRONG, "any", seed)
    labels = [classes[label] for label in given]
    ingest(catalogue, deliver(half.catalogue, labels, folder / "delivery"), model=name)
    known_names = {normal_label(name) for name in review.categories(catalogue)}
    for category in classes:
        if category not in known_names:
            categories.add(catalogue, category, reviewer="Ana")
    assessing.assess(catalogue)
    known = Seen(catalogue.settings.models / name, half.others)
    yield BASELINE, Outcome.of(half.others, known, known)
    for number, words in enumerate(TRAINED):
        if number:
            put_right(catalogue, truth)
        start = perf_counter()
        retrain(catalogue, base=name, version=f"{name}-{number}", seed=seed)
        seconds = perf_counter() - start
        new = Seen(catalogue.settings.models / f"{name}-{number}", half.others)
        yield words, Outcome.of(half.others, known, new, seconds)


def halves_of(source: Source) -> tuple[Half, Half]:
    """Return both ways to take one half in and to measure on the other."""
    counts = Counter(named(item) for item in source.items)
    items = [
        item
        for item in source.items
        if counts[named(item)] >= ENOUGH and named(item) not in NO_LABEL_WORDS
    ]
    items.sort(key=lambda item: (named(item), item.path.stem))  # alternating: each category halved
    return Half(items[::2], items[1::2]), Half(items[1::2], items[::2])


def main() -> int:
    """Train, measure, and print a table for each model."""
    parser = photos.parser("retraining", __doc__)
    parser.add_argument("--models", default="small")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    halves = halves_of(photos.feed(options.data))
    names = {named(item) for item in halves[0].catalogue}
    print(f"{len(halves[0].catalogue) + len(halves[0].others)} photos of {len(names)} categories")
    found: dict[str, Any] = {}
    for model in options.models.split(","):
        print(f"{model:{_WIDTH}}     all    known      new  closest  by chance  seconds")
        outcomes: dict[str, list[Outcome]] = defaultdict(list)
        for half in halves:
            with tempfile.TemporaryDirectory() as folder:
                for words, outcome in measured(model, options.seed, half, Path(folder)):
                    outcomes[words].append(outcome)
        for words, both in outcomes.items():
            one = figures(both)
            found[f"{model}: {words}"] = one
            shares = "".join(f" {one[key]:>8.1%}" for key in ("all", "known", "new", "top1"))
            print(f"{words:{_WIDTH}}{shares} {one['chance']:>10.2g} {one['seconds']:>8.0f}")
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
