"""Does the review queue find wrong labels? Planted ones, through the whole core, no database.

    python -m benchmarks.review_queue                      the sample catalogue
    python -m benchmarks.review_queue --seeds 0 1 2
    python -m benchmarks.review_queue --data PHOTOS        real photos, wrong labels planted anew

Each table trains on the wrong labels too, as a newcomer's first run does, and embeds, judges and
orders the products as the nightly job does. Beside the queue stand, from the same run: cleanlab's
normalized margin and self-confidence of the same probabilities, the trained model's own doubt in
the labels it was taught, and chance. The vectors learned from the wrong labels: those of a model
that never saw them would do better, and are not what is measured here.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.planting import COLUMNS, average_precision, plant
from catalog_ai.curation.label_issues import assess_labels
from catalog_ai.data.sample import read_truth, write_sample
from catalog_ai.data.sources import Source, read_source, usable_classes
from catalog_ai.errors import CatalogError
from catalog_ai.images import decode, read_photo

FIRST = 0.05  # of all products: what a reviewer looks at first; more where more are wrong


@dataclass(frozen=True)
class Planted:
    """A source whose labels are partly wrong; `wrong` (N,) bool in the order of its items."""

    source: Source
    wrong: NDArray[np.bool_]


def sample(folder: Path, seed: int) -> Planted:
    """Draw the sample catalogue and return it with its planted errors."""
    source = read_source(write_sample(folder / "sample", seed=seed))
    truth = read_truth(folder / "sample")
    return Planted(source, np.array([truth[item.sku].planted for item in source.items]))


def planted_in(source: Source, share: float, kind: str, seed: int) -> Planted:
    """Give a share of the items, which are taken to be right, a label of another category."""
    classes = usable_classes(item.label for item in source.items)
    items = [item for item in source.items if item.label in classes]
    labels = np.array([classes.index(str(item.label)) for item in items])
    given, wrong = plant(labels, classes, share, kind, seed)
    relabelled = tuple(
        replace(item, label=classes[label]) for item, label in zip(items, given, strict=True)
    )
    return Planted(replace(source, items=relabelled), wrong)


def orderings(
    planted: Planted, folder: Path, seed: int, recipe: str, epochs: int | None
) -> dict[str, NDArray[np.float32]]:
    """Train, embed and assess; return (N,) suspicions by name, higher = reviewed earlier."""
    from cleanlab.rank import get_label_quality_scores

    from catalog_ai.inference.embeddings import CatalogModel
    from catalog_ai.training.recipes import train_recipe

    items = planted.source.items
    classes = sorted({str(item.label) for item in items})
    trained = train_recipe(
        recipe, planted.source, out=folder / "models", classes=classes, epochs=epochs, seed=seed
    )
    model = CatalogModel.load(trained.folder)
    pixels = [decode(read_photo(item.path)) for item in items]
    outputs = model.predict(pixels)
    labels = np.array([model.classes.index(str(item.label)) for item in items])
    features = outputs.features.astype(np.float32)
    assessment = assess_labels(outputs.vectors, labels, len(model.classes), features=features)
    rows = np.arange(len(items))
    margin = get_label_quality_scores(
        labels, assessment.probabilities, method="normalized_margin"
    ).astype(np.float32)
    return {
        "the review queue": assessment.score,
        "cleanlab's normalized margin": 1 - margin,
        "self-confidence": 1 - assessment.probabilities[rows, labels],
        "the trained model's own doubt": 1 - outputs.probabilities[rows, labels],
        "chance": np.random.default_rng(seed).random(len(items), dtype=np.float32),
    }


def found_first(
    suspicion: NDArray[np.float32], wrong: NDArray[np.bool_], first: float = FIRST
) -> float:
    """Return the share of wrong labels within the `first` part (0..1) of the order."""
    order = np.argsort(-suspicion, kind="stable")
    return float(wrong[order[: round(first * len(order))]].sum() / wrong.sum())


def report(title: str, planted: Planted, suspicions: dict[str, NDArray[np.float32]]) -> None:
    """Print one table."""
    count, wrong = len(planted.wrong), int(planted.wrong.sum())
    print(f"\n{title}: {count:,} products, {wrong} wrong labels")
    first = max(FIRST, wrong / count)
    heading = f"found in the first {first:.0%}"
    print(f"  {'ordered by':32}{heading:>24}{'average precision':>20}")
    for name, suspicion in suspicions.items():
        share = found_first(suspicion, planted.wrong, first)
        found = f"{round(share * wrong)} = {share:.0%}"
        print(f"  {name:32}{found:>24}{average_precision(suspicion, planted.wrong):>20.3f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="photos with right labels; default: the sample")
    parser.add_argument("--recipe", default="small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, help="of the classifier; default: the recipe's")
    options = parser.parse_args(arguments)
    try:
        run(options)
    except CatalogError as error:
        parser.exit(error.exit_code, f"{error}\n")


def run(options: argparse.Namespace) -> None:
    """Print one table per seed, for real photos one per seed and kind of error."""
    for seed in options.seeds:
        for column in COLUMNS if options.data else [None]:
            with tempfile.TemporaryDirectory() as scratch:
                folder, start = Path(scratch), time.perf_counter()
                if column is None:
                    title, planted = f"sample, seed {seed}", sample(folder, seed)
                else:
                    title = f"{options.data.name}, {column[0]:.0%} {column[1]}, seed {seed}"
                    planted = planted_in(read_source(options.data), *column, seed)
                suspicions = orderings(planted, folder, seed, options.recipe, options.epochs)
                report(f"{title}, {time.perf_counter() - start:.0f} s", planted, suspicions)


if __name__ == "__main__":
    main()
