"""Recipes: from a source of photos to a checkpoint, by name.

`article` is the published recipe, step for step. `small` trains the same 32,584-parameter backbone
from scratch, better; its settings were chosen by cross-validation within the training photos.
"""

import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version as library_version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from catalog_ai.checkpoint import joined_state, load_checkpoint, save_checkpoint
from catalog_ai.config import PROJECT_ROOT
from catalog_ai.data.dataset import PhotoArrays, Progress, load_photos
from catalog_ai.data.loaders import split_by_seed
from catalog_ai.data.sources import Source, SourceItem, normal_label, usable_classes
from catalog_ai.data.transforms import MEAN, SIZE, STD
from catalog_ai.errors import CheckpointError, TrainingDataError, UsageError
from catalog_ai.evaluation.report import evaluation
from catalog_ai.models.backbone import FEATURES
from catalog_ai.training import article, small
from catalog_ai.training.classifier_train import ClassifierEpoch
from catalog_ai.training.memory import freed_memory_kept
from catalog_ai.training.siamese_train import SiameseEpoch

LIBRARIES = ("torch", "torchvision", "numpy", "pillow", "scikit-learn")


@dataclass(frozen=True)
class Recipe:
    """A way to train: how many epochs, how large photos are held, and what does it.

    `train` takes (training photos, validation photos, epochs, siamese_epochs, seed, on_classifier,
    on_siamese) and returns (classifier, encoder).
    """

    name: str
    epochs: int
    siamese_epochs: int
    stored_size: int
    flip_average: bool
    train: Callable[..., tuple[Any, Any]]
    hyperparameters: dict[str, Any]


RECIPES = {
    "article": Recipe(
        *("article", article.EPOCHS, article.SIAMESE_EPOCHS, SIZE, False),
        train=article.train,
        hyperparameters=article.HYPERPARAMETERS,
    ),
    "small": Recipe(
        *("small", small.EPOCHS, small.SIAMESE_EPOCHS, small.STORED_SIZE, True),
        train=small.train,
        hyperparameters=asdict(small.SETTINGS) | {"augmentation": asdict(small.AUGMENTATION)},
    ),
}


@dataclass(frozen=True)
class TrainingResult:
    """A finished training: the checkpoint's folder and its birth certificate."""

    version: str
    folder: Path
    meta: dict[str, Any]


def train_recipe(
    recipe: str,
    source: Source,
    *,
    out: Path,
    version: str | None = None,
    classes: Sequence[str] | None = None,
    epochs: int | None = None,
    siamese_epochs: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train by `recipe` on the labelled photos of `source` and write `out`/`version`.

    `source` has `train/` and `validation/`, or is split by the seed, a tenth of each category for
    validation. `classes` restricts the categories; by default every label with enough photos.
    Raises `UsageError`, `TrainingDataError`, `CheckpointError`.
    """
    plan = RECIPES.get(recipe)
    if plan is None:
        raise UsageError(f"there is no recipe {recipe!r}: choose from {', '.join(RECIPES)}")
    version = version or f"{recipe}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if (out / version).exists():
        raise CheckpointError(f"the model {version!r} exists already: choose another --version")
    epochs = plan.epochs if epochs is None else epochs
    siamese_epochs = plan.siamese_epochs if siamese_epochs is None else siamese_epochs
    report = _Reporter(epochs, siamese_epochs, progress)
    start = perf_counter()
    names = _classes(source, classes)
    training, validation = _photos(source, names, plan.stored_size, seed, report)
    report.read_at = perf_counter()
    torch.manual_seed(seed)
    with freed_memory_kept():
        classifier, encoder = plan.train(
            *(training, validation, epochs, siamese_epochs, seed),
            on_classifier=report.classifier_epoch,
            on_siamese=report.siamese_epoch,
        )
    seconds = perf_counter() - start
    meta = {
        "version": version,
        "recipe": recipe,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "architecture": {
            "backbone": "mobilenet",
            "depthwise": True,
            "dimension": FEATURES,
            "shared_backbone": encoder.backbone is classifier.backbone,
        },
        "classes": list(names),
        "preprocessing": {
            **{"version": 1, "size": SIZE, "mean": list(MEAN), "std": list(STD)},
            "flip_average": plan.flip_average,
        },
        "unit_vectors": True,
        "seed": seed,
        "data": _data(source, training, validation),
        "hyperparameters": {
            **plan.hyperparameters,
            **{"epochs": epochs, "siamese_epochs": siamese_epochs},
        },
        "history": report.history(),
        "stopped_early": report.stopped_early,
        **evaluation(classifier, encoder, validation, flip_average=plan.flip_average),
        "libraries": _libraries(),
        "commit": _commit(),
    }
    meta["metrics"] |= {
        "images": len(training),
        "train_seconds": round(seconds, 2),
        "read_seconds": round(report.read_at - start, 2),
        "classifier_seconds": round(report.classified_at - report.read_at, 2),
    }
    weights = joined_state(classifier, encoder)
    save_checkpoint(out / version, weights, meta, training.sha256)
    load_checkpoint(out / version, classes=names)
    return TrainingResult(version, out / version, meta)


class _Reporter:
    """Keeps what each epoch brought and turns it into one share of the whole, 0..1."""

    _READING = 0.05

    def __init__(self, epochs: int, siamese_epochs: int, progress: Progress | None) -> None:
        self._epochs = epochs
        self._total = max(1, epochs + siamese_epochs)
        self._siamese_epochs = siamese_epochs
        self._progress = progress
        self._classifier: list[ClassifierEpoch] = []
        self._siamese: list[SiameseEpoch] = []
        self.read_at = self.classified_at = perf_counter()

    def reading(self, share: float, message: str) -> None:
        self._say(self._READING * share, message)

    def classifier_epoch(self, epoch: ClassifierEpoch) -> None:
        self._classifier.append(epoch)
        self.classified_at = perf_counter()
        self._epoch(f"Classifier, epoch {epoch.epoch}: {epoch.val_accuracy:.1%} right")

    def siamese_epoch(self, epoch: SiameseEpoch) -> None:
        self._siamese.append(epoch)
        self._epoch(f"Visual search, epoch {epoch.epoch}: loss {epoch.loss:.3f}")

    @property
    def stopped_early(self) -> bool:
        return (len(self._classifier), len(self._siamese)) != (self._epochs, self._siamese_epochs)

    def history(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "classifier": [asdict(epoch) for epoch in self._classifier],
            "siamese": [asdict(epoch) for epoch in self._siamese],
        }

    def _epoch(self, message: str) -> None:
        done = len(self._classifier) + len(self._siamese)
        self._say(self._READING + (1 - self._READING) * done / self._total, message)

    def _say(self, share: float, message: str) -> None:
        if self._progress is not None:
            self._progress(share, message)


def _classes(source: Source, wanted: Sequence[str] | None) -> tuple[str, ...]:
    labels = [item.label for item in source.items]
    if wanted is None:
        names = usable_classes(labels)
        if len(names) < 2:
            raise TrainingDataError(
                "fewer than two categories have eight photos each: label more photos, or name "
                "the categories with --classes"
            )
        return tuple(names)
    present = {normal_label(label) for label in labels if label is not None}
    absent = [name for name in wanted if normal_label(name) not in present]
    if absent:
        raise TrainingDataError(
            f"no photo is labelled {', '.join(absent)}: the labels are "
            f"{', '.join(usable_classes(labels, minimum=1))}"
        )
    if len({normal_label(name) for name in wanted}) < 2:
        raise UsageError("--classes needs at least two different categories")
    return tuple(dict.fromkeys(wanted))


def _photos(
    source: Source, classes: tuple[str, ...], size: int, seed: int, report: _Reporter
) -> tuple[PhotoArrays, PhotoArrays]:
    """Return (training, validation) photos, each decoded once."""
    training, held_out = _split(source, classes, seed)
    share = len(training) / (len(training) + len(held_out))

    def first(done: float, message: str) -> None:
        report.reading(share * done, message)

    def second(done: float, message: str) -> None:
        report.reading(share + (1 - share) * done, message)

    return (
        load_photos(training, size, classes=classes, progress=first),
        load_photos(held_out, SIZE, classes=classes, progress=second),  # as they will be served
    )


def _split(
    source: Source, classes: tuple[str, ...], seed: int
) -> tuple[list[SourceItem], list[SourceItem]]:
    """Return (training, validation) items of these classes: by folder, else by the seed."""
    numbers = {normal_label(name): number for number, name in enumerate(classes)}
    items = [item for item in source.items if normal_label(item.label or "") in numbers]
    training = [item for item in items if item.split == "train"]
    held_out = [item for item in items if item.split == "validation"]
    if training and held_out:
        _same_photo_twice(training, held_out)
        return training, held_out
    targets = np.array([numbers[normal_label(item.label or "")] for item in items], dtype=np.int64)
    kept, validation = split_by_seed(targets, seed=seed)
    return [items[index] for index in kept], [items[index] for index in validation]


def _same_photo_twice(training: list[SourceItem], held_out: list[SourceItem]) -> None:
    shared = {item.sku for item in training} & {item.sku for item in held_out}
    if shared:
        raise TrainingDataError(
            f"{len(shared)} SKUs are in train/ and in validation/, {sorted(shared)[0]!r} for one: "
            "keep each in one of the two"
        )


def _data(source: Source, training: PhotoArrays, validation: PhotoArrays) -> dict[str, Any]:
    counts = np.bincount(training.targets, minlength=len(training.classes))
    seen = sha256("".join(sorted((*training.sha256, *validation.sha256))).encode())
    return {
        "fingerprint": seen.hexdigest(),
        "source": source.root.name,
        "train": len(training),
        "validation": len(validation),
        "counts": dict(zip(training.classes, counts.tolist(), strict=True)),
    }


def _libraries() -> dict[str, str]:
    return {"python": platform.python_version()} | {
        name: library_version(name) for name in LIBRARIES
    }


def _commit() -> str | None:
    """Return the commit of this program, None outside a git checkout."""
    command = ("git", "-C", str(PROJECT_ROOT), "rev-parse", "HEAD")
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
