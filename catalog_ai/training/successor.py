"""The next version of a model: read the photos, train on from its weights, measure, write it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from catalog_ai.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from catalog_ai.config import program_commit
from catalog_ai.data.dataset import PhotoArrays, load_photos
from catalog_ai.data.sources import SourceItem
from catalog_ai.inference.embeddings import CatalogModel
from catalog_ai.memory import freed_memory_kept
from catalog_ai.training.calibration import fold
from catalog_ai.training.certificate import data_of, evaluation, libraries, stored
from catalog_ai.training.classifier_train import ClassifierEpoch
from catalog_ai.training.continuing import EPOCHS, continue_training, settings_of
from catalog_ai.training.siamese_train import SiameseEpoch
from catalog_ai.training.task import Task

Progress = Callable[[float, str], None]
MOST_MEASURED = 1000  # photos; what a birth certificate says of them
_CHECKED = 10  # one in so many of the photos to learn from tells how sure to be instead
_READ, _TAUGHT = 0.1, 0.85  # how far it is once the photos are read, and once it is trained


@dataclass(frozen=True)
class Lessons:
    """What to learn from and what to measure on: products with the label that is theirs.

    `features` are the parent's by SKU, (F,) each, for those that are known already.
    """

    classes: tuple[str, ...]
    training: Sequence[SourceItem]
    held_out: Sequence[SourceItem]
    features: Mapping[str, NDArray[np.float32]]


def train_successor(
    parent: Checkpoint,
    lessons: Lessons,
    *,
    out: Path,
    version: str,
    epochs: int | None = None,
    seed: int = 0,
    learnt_before: Sequence[str] = (),
    more: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write `out`/`version`, which continues from `parent`, and return its birth certificate.

    `learnt_before` are digests of the photos that the parent's weights come from: the successor has
    learnt from these as well. `more` is put into the certificate. Raises `TrainingDataError`,
    `CheckpointError`.
    """
    tell = progress or (lambda share, message: None)
    start = perf_counter()
    settings = settings_of(parent)
    photos = load_photos(
        lessons.training,
        settings.stored_size,
        classes=lessons.classes,
        progress=lambda share, message: tell(_READ * share, message),
    )
    read = perf_counter()
    learnt, checked = fold(photos.targets, seed, _CHECKED)
    training = photos.take(learnt)
    steps = _Steps(tell, len(training), epochs or EPOCHS[parent.architecture.embedding], settings)
    task = Task(
        training=training,
        validation=photos.take(checked).resized(settings.size),
        epochs=steps.epochs,
        siamese_epochs=0,
        seed=seed,
        settings=settings,
        on_classifier=steps.classifier_epoch,
        on_siamese=steps.siamese_epoch,
        on_step=steps.step,
        on_batch=steps.batch,
    )
    steps.step("Looking at the photos as the model does now")
    features = _features(parent, training, lessons.features)
    torch.manual_seed(seed)
    with freed_memory_kept():
        trained = continue_training(task, parent, features)
    weights = stored(trained)
    tell(_TAUGHT, "Measuring it on photos that it has not seen")
    measured = evaluation(
        *(trained, lessons.classes),
        list(lessons.held_out[:MOST_MEASURED]),
        list(lessons.training[: 2 * MOST_MEASURED]),
    )
    meta = {
        "version": version,
        "recipe": parent.meta["recipe"],
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "architecture": trained.architecture.to_meta(),
        "classes": list(lessons.classes),
        "preprocessing": trained.preprocessing.to_meta(),
        "unit_vectors": True,
        "seed": seed,
        "data": data_of("catalogue", training, task.validation)
        | {"validation": measured["metrics"]["images"]},
        "hyperparameters": asdict(settings) | {"epochs": steps.epochs},
        "calibration": trained.calibration,
        "history": steps.history,
        "stopped_early": False,
        **measured,
        "libraries": libraries(),
        "commit": program_commit(),
        **(more or {}),
    }
    meta["metrics"] |= {
        "train_images": len(training),
        "train_seconds": round(perf_counter() - start, 2),
        "read_seconds": round(read - start, 2),
    }
    save_checkpoint(out / version, weights, meta, [*photos.sha256, *learnt_before])
    load_checkpoint(out / version, classes=lessons.classes)
    return meta


def _features(
    parent: Checkpoint, photos: PhotoArrays, known: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return the parent's (N, F) features of the photos; those not known are computed."""
    absent = [row for row, sku in enumerate(photos.skus) if sku not in known]
    found = dict(known)
    if absent:
        said = CatalogModel(parent).predict([photos.pixels[row] for row in absent])
        found |= {
            photos.skus[row]: numbers
            for row, numbers in zip(absent, said.features.astype(np.float32), strict=True)
        }
    return np.stack([found[sku] for sku in photos.skus])


class _Steps:
    """Tells how far a training is, batch by batch, and keeps what each epoch brought."""

    def __init__(self, tell: Progress, photos: int, epochs: int, settings: Any) -> None:
        self.epochs = epochs
        self.history: dict[str, list[dict[str, Any]]] = {"classifier": [], "siamese": []}
        self._tell = tell
        self._words = ""
        self._done = 0
        self._batches = max(1, epochs * -(-photos // getattr(settings, "photos", photos)))

    def step(self, words: str) -> None:
        self._words = words
        self._say()

    def batch(self) -> None:
        self._done += 1
        self._say()

    def classifier_epoch(self, epoch: ClassifierEpoch) -> None:
        self.history["classifier"].append(asdict(epoch))
        self.step(f"Epoch {epoch.epoch} of {self.epochs}: {epoch.val_accuracy:.1%} right")

    def siamese_epoch(self, epoch: SiameseEpoch) -> None:
        self.history["siamese"].append(asdict(epoch))
        self.batch()
        self.step(f"Epoch {epoch.epoch} of {self.epochs}")

    def _say(self) -> None:
        share = min(1.0, self._done / self._batches)
        self._tell(_READ + (_TAUGHT - _READ) * share, self._words)
