"""The article's next steps on equal terms: losses, mining and margins, one table.

    python -m benchmarks.losses [--data FOLDER] [--seeds 0,1] [--epochs N] [--json FILE]

FOLDER has `train/` and `validation/` (default: `clothing-dataset-small` in `CATALOG_TEST_PHOTOS`).
One classifier is trained for each seed, as the recipe `small` does. Every row starts from a copy of
it and trains both heads for the same number of epochs, on the same batches, under the same rate:
only the loss on the vector differs. The first row, without any, is the baseline. Figures are means
over the seeds, of the validation photos, searched among themselves and, for the same garment shot
again, every second training photo.
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
from catalog_ai.models.registry import Architecture
from catalog_ai.preprocessing import Preprocessing
from catalog_ai.training import small
from catalog_ai.training.memory import freed_memory_kept
from catalog_ai.training.task import Task

SERVED = Preprocessing(flip_average=True, zoom_average=True)
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
    Row("supcon"),
    *(Row("arcface", margin=margin) for margin in MARGINS),
    Row("center"),
)


@dataclass(frozen=True)
class Photos:
    """What every row is trained on and measured by, decoded once."""

    training: PhotoArrays
    validation: PhotoArrays
    reshot: Sequence[np.ndarray]

    @classmethod
    def read(cls, source: Source) -> "Photos":
        """Decode the seven categories of `source`."""
        learnt, held_out = seven(source)
        settings = small.Settings()
        shots = shoot_again(list(load_photos(held_out, SIDE, classes=CLASSES).pixels))
        return cls(
            load_photos(learnt, settings.stored_size, classes=CLASSES),
            load_photos(held_out, SERVED.square, classes=CLASSES),
            shots,
        )


def measure_seed(photos: Photos, seed: int, epochs: int) -> list[dict[str, float]]:
    """Return the figures of every row for one seed."""
    shown = photos.validation.resized(SERVED.size)
    task = Task(photos.training, shown, small.EPOCHS, epochs, seed, small.Settings())
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
        classifier = copy.deepcopy(start)
        with freed_memory_kept():
            encoder = small.train_second(replace(task, settings=settings), classifier, epochs)
        meta = {
            "version": row.words(),
            "classes": list(CLASSES),
            "architecture": Architecture().to_meta(),
            "preprocessing": SERVED.to_meta(),
        }
        model = CatalogModel(Checkpoint(classifier.cpu(), encoder.cpu(), meta))
        found.append(figures(model, photos))
        print(f"seed {seed}: {line(row, found[-1])}", flush=True)
    return found


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


def line(row: Row, found: dict[str, float]) -> str:
    """Return one line of the table."""
    cells = (
        f"{found[name]:>9.3f}" if name == "map_at_r" else f"{found[name]:>9.1%}" for name in FIGURES
    )
    return f"{row.words():34}{''.join(cells)}"


def main() -> int:
    """Train every row for each seed and print the table of means."""
    options = parser("losses", __doc__)
    options.add_argument("--seeds", default="0", help="for instance 0,1 (default: 0)")
    options.add_argument("--epochs", type=int, default=small.SIAMESE_EPOCHS, help="of each row")
    given = options.parse_args()
    photos = Photos.read(read(given.data))
    seeds = [int(seed) for seed in given.seeds.split(",")]
    every = [measure_seed(photos, seed, given.epochs) for seed in seeds]
    print(f"\nmeans over seeds {given.seeds}, {given.epochs} epochs each")
    print(f"{'':34}{''.join(f'{words:>9}' for words in FIGURES.values())}")
    table: list[dict[str, Any]] = []
    for number, row in enumerate(ROWS):
        means = {name: mean(found[number][name] for found in every) for name in FIGURES}
        table.append({"row": row.words(), **means})
        print(line(row, means))
    if given.json:
        Path(given.json).write_text(json.dumps(table, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
