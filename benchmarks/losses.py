"""The article's next steps on equal terms: losses, mining and margins, one table.

    python -m benchmarks.losses [--data FOLDER] [--seeds 0,1] [--epochs N] [--json FILE]

FOLDER has `train/` and `validation/` (default: `clothing-dataset-small` in `CATALOG_TEST_PHOTOS`).
One classifier is trained for each seed, as the recipe `small` does. Every row starts from a copy of
it and trains both heads for the same number of epochs, on the same batches, under the same rate:
only the loss on the vector differs. The first row, without any, is the baseline. The last rows are
the article's steps that change the network: each trains a classifier of its own and ends it as the
recipe does, so "triplet, all, margin 0.3" is their baseline. Figures are means over the seeds, of
the validation photos, searched among themselves and, for the same garment shot again, every second
training photo.
"""

import copy
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.photos import CLASSES, parser, read, seven
from catalog_ai.checkpoint import Checkpoint
from catalog_ai.data.dataset import PhotoArrays, load_photos
from catalog_ai.data.sources import Source
from catalog_ai.evaluation import metrics
from catalog_ai.evaluation.reshot import SIDE, shoot_again
from catalog_ai.inference.embeddings import CatalogModel, Outputs
from catalog_ai.memory import freed_memory_kept
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.training import small
from catalog_ai.training.task import Task

MARGINS = (0.2, 0.5, 1.0)
FIGURES = {
    "accuracy": "right",
    "top1": "top-1",
    "top5": "top-5",
    "map_at_r": "mAP@R",
    "reshot_recall_at_1": "re-shot",
}


@dataclass(frozen=True)
class Row:
    """One line of the table: what `small.Settings` is told."""

    loss: str
    mining: str = "all"
    margin: float = 0.3
    weight: float = 1.0

    def words(self) -> str:
        """Return the line's title."""
        if not self.weight:
            return "no loss on the vector"
        if self.loss == "triplet":
            return f"triplet, {self.mining}, margin {self.margin}"
        return f"{self.loss}, margin {self.margin}" if self.loss == "arcface" else self.loss


ROWS = (
    Row("triplet", weight=0.0),
    *(
        Row("triplet", mining, margin)
        for mining in ("random", "semi-hard", "batch-hard", "curriculum", "all")
        for margin in MARGINS
    ),
    Row("triplet"),
    Row("supcon"),
    *(Row("arcface", margin=margin) for margin in MARGINS),
    Row("center"),
)

NETWORKS: dict[str, dict[str, Any]] = {
    "squeeze-and-excitation in the block": {"squeeze_excitation": True},
    "96 pixels": {"size": 96},
}


@dataclass(frozen=True)
class Photos:
    """What every row is trained on and measured by, decoded once."""

    training: PhotoArrays
    validation: PhotoArrays
    reshot: Sequence[np.ndarray]

    @classmethod
    def read(
        cls, source: Source, settings: small.Settings, shots: Sequence[np.ndarray]
    ) -> "Photos":
        """Decode the seven categories of `source` as `settings` need them."""
        learnt, held_out = seven(source)
        return cls(
            load_photos(learnt, settings.stored_size, classes=CLASSES),
            load_photos(held_out, small.served(settings).square, classes=CLASSES),
            shots,
        )


def shots_of(source: Source) -> Sequence[np.ndarray]:
    """Return each validation photo, shot again."""
    _, held_out = seven(source)
    return shoot_again(list(load_photos(held_out, SIDE, classes=CLASSES).pixels))


def measure_losses(photos: Photos, seed: int, epochs: int) -> list[dict[str, float]]:
    """Return the figures of every row for one seed, all from one classifier."""
    task = task_of(photos, seed, epochs, small.Settings())
    with freed_memory_kept():
        start, _ = small.train_first(task)
    print(f"seed {seed}: the classifier that all rows start from", flush=True)
    found = []
    for row in ROWS:
        settings = replace(
            *(task.settings,),
            **{"loss": row.loss, "mining": row.mining, "margin": row.margin},
            loss_weight=row.weight,
        )
        found.append(finish(photos, replace(task, settings=settings), copy.deepcopy(start)))
        print(f"seed {seed}: {line(row.words(), found[-1])}", flush=True)
    return found


def measure_network(photos: Photos, name: str, seed: int, epochs: int) -> dict[str, float]:
    """Return the figures of one of `NETWORKS`, trained from its beginning."""
    task = task_of(photos, seed, epochs, replace(small.Settings(), **NETWORKS[name]))
    with freed_memory_kept():
        classifier, _ = small.train_first(task)
    found = finish(photos, task, classifier)
    print(f"seed {seed}: {line(name, found)}", flush=True)
    return found


def task_of(photos: Photos, seed: int, epochs: int, settings: small.Settings) -> Task:
    """Return what the recipe is given; `epochs` are those of both heads."""
    shown = photos.validation.resized(settings.size)
    return Task(photos.training, shown, small.EPOCHS, epochs, seed, settings)


def finish(photos: Photos, task: Task, classifier: MobileNetLikeClassifier) -> dict[str, float]:
    """Train both heads of `classifier` and return the figures."""
    with freed_memory_kept():
        encoder = small.train_second(task, classifier, task.siamese_epochs)
    return figures(served(task.settings, classifier, encoder), photos)


def served(
    settings: small.Settings, classifier: MobileNetLikeClassifier, encoder: SiameseEncoder
) -> CatalogModel:
    """Return the two heads as a model that is asked as the catalogue asks it."""
    meta = {
        "version": "benchmark",
        "classes": list(CLASSES),
        "architecture": small.architecture(settings).to_meta(),
        "preprocessing": small.served(settings).to_meta(),
    }
    return CatalogModel(Checkpoint(classifier.cpu().eval(), encoder.cpu().eval(), meta))


def figures(model: CatalogModel, photos: Photos) -> dict[str, float]:
    """Return what the table shows of one model."""
    seen, shots = model.predict(list(photos.validation.pixels)), model.predict(photos.reshot)
    gallery: Outputs = model.predict(list(photos.training.pixels[::2]))
    targets = photos.validation.targets
    retrieval = metrics.retrieval_metrics(seen.vectors, targets)
    every = np.vstack([seen.vectors, gallery.vectors])
    first = metrics.found_first(shots.vectors, every, np.arange(len(targets)))
    return {
        "accuracy": metrics.accuracy(seen.probabilities.argmax(1), targets),
        "top1": retrieval.top1,
        "top5": retrieval.top5,
        "map_at_r": retrieval.map_at_r,
        "reshot_recall_at_1": float(first.mean()),
    }


def line(words: str, found: dict[str, float]) -> str:
    """Return one line of a table."""
    cells = (
        f"{found[name]:>9.3f}" if name == "map_at_r" else f"{found[name]:>9.1%}" for name in FIGURES
    )
    return f"{words:36}{''.join(cells)}"


def means(every: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each figure over the seeds."""
    return {name: mean(found[name] for found in every) for name in FIGURES}


def main() -> int:
    """Train every row for each seed and print the table of means."""
    options = parser("losses", __doc__)
    options.add_argument("--seeds", default="0", help="for instance 0,1 (default: 0)")
    options.add_argument("--epochs", type=int, default=small.SIAMESE_EPOCHS, help="of each row")
    given = options.parse_args()
    source = read(given.data)
    seeds = [int(seed) for seed in given.seeds.split(",")]
    shots = shots_of(source)
    photos = Photos.read(source, small.Settings(), shots)
    every = [measure_losses(photos, seed, given.epochs) for seed in seeds]
    table = {
        row.words(): means([found[place] for found in every]) for place, row in enumerate(ROWS)
    }
    for name, changes in NETWORKS.items():
        photos = Photos.read(source, replace(small.Settings(), **changes), shots)
        table[name] = means([measure_network(photos, name, seed, given.epochs) for seed in seeds])
    print(f"\nmeans over seeds {given.seeds}, {given.epochs} epochs of both heads")
    print(f"{'':36}{''.join(f'{words:>9}' for words in FIGURES.values())}")
    for words, found in table.items():
        print(line(words, found))
    if given.json:
        Path(given.json).write_text(json.dumps(table, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
