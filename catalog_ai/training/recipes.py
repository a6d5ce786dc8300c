"""Recipes: from a source of photos to a checkpoint, by name.

`article` is the published recipe, step for step. `small` trains the same 32,584-parameter backbone,
better: from scratch, or taught by a larger model. `default` fine-tunes a backbone that has seen
ImageNet. What each is made of was chosen by cross-validation within the training photos
(docs/experiments.md).
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from catalog_ai.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from catalog_ai.config import program_commit
from catalog_ai.data.dataset import PhotoArrays, Progress, load_photos
from catalog_ai.data.loaders import split_by_seed
from catalog_ai.data.sources import Source, SourceItem, normal_label, usable_classes
from catalog_ai.errors import CheckpointError, TrainingDataError, UsageError
from catalog_ai.memory import freed_memory_kept
from catalog_ai.training import article, default, small
from catalog_ai.training.certificate import data_of, evaluation, libraries, stored
from catalog_ai.training.classifier_train import ClassifierEpoch
from catalog_ai.training.siamese_train import SiameseEpoch
from catalog_ai.training.task import Task, Trained


@dataclass(frozen=True)
class Recipe:
    """A way to train: how long, what it is made of, and what does it.

    `settings` is a dataclass with the properties `size` and `stored_size`, the sides in pixels at
    which validation and training photos are held. `taught` is the recipe with a teacher.
    """

    name: str
    epochs: int
    siamese_epochs: int
    settings: Any
    train: Callable[[Task], Trained]
    taught: "Recipe | None" = None


RECIPES = {
    "article": Recipe(
        *("article", article.EPOCHS, article.SIAMESE_EPOCHS, article.Settings(), article.train)
    ),
    "small": Recipe(
        *("small", small.EPOCHS, small.SIAMESE_EPOCHS, small.Settings(), small.train),
        taught=Recipe(
            *("small", small.TAUGHT_EPOCHS, small.SIAMESE_EPOCHS, small.TAUGHT, small.train)
        ),
    ),
    "default": Recipe("default", default.EPOCHS, 0, default.Settings(), default.train),
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
    options: Mapping[str, Any] | None = None,
    teacher: Checkpoint | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train by `recipe` on the labelled photos of `source` and write `out`/`version`.

    `source` has `train/` and `validation/`, or is split by the seed, a tenth of each category for
    validation. `classes` restricts the categories; by default every label with enough photos.
    `options` replace settings of the recipe by name; `teacher` is a model to learn from besides.
    Raises `UsageError`, `TrainingDataError`, `WeightsError`, `CheckpointError`.
    """
    plan = _plan(recipe, options or {}, teacher)
    version = version or f"{recipe}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if (out / version).exists():
        raise CheckpointError(f"the model {version!r} exists already: choose another --version")
    epochs = plan.epochs if epochs is None else epochs
    siamese_epochs = plan.siamese_epochs if siamese_epochs is None else siamese_epochs
    report = _Reporter(epochs, siamese_epochs, progress)
    start = perf_counter()
    names = _classes(source, classes)
    learnt_from, held_out = _split(source, names, seed)
    # A teacher is asked about crops as sharp as it was taught on.
    sharp = 0 if teacher is None else teacher.preprocessing.size
    sides = max(plan.settings.stored_size, sharp), plan.settings.size  # validation: as served
    training, validation = _photos(learnt_from, held_out, names, sides, report)
    task = Task(
        training=training,
        validation=validation,
        epochs=epochs,
        siamese_epochs=siamese_epochs,
        seed=seed,
        settings=plan.settings,
        teacher=teacher,
        on_classifier=report.classifier_epoch,
        on_siamese=report.siamese_epoch,
        on_step=report.step,
    )
    report.read_at = perf_counter()
    torch.manual_seed(seed)
    with freed_memory_kept():
        trained = plan.train(task)
    weights = stored(trained)
    end = perf_counter()
    meta = {
        "version": version,
        "recipe": recipe,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "architecture": trained.architecture.to_meta(),
        "classes": list(names),
        "preprocessing": trained.preprocessing.to_meta(),
        "unit_vectors": True,
        "seed": seed,
        "data": data_of(source.root.name, task.training, task.validation),
        "hyperparameters": {
            **asdict(plan.settings),
            **{"epochs": epochs, "siamese_epochs": siamese_epochs},
            **({} if teacher is None else {"teacher": teacher.meta["version"]}),
        },
        "calibration": trained.calibration,
        "history": report.history(),
        "stopped_early": report.stopped_early,
        "steps": report.steps(end),
        **evaluation(trained, names, held_out, learnt_from),
        "libraries": libraries(),
        "commit": program_commit(),
    }
    meta["metrics"] |= {
        "train_images": len(task.training),
        "train_seconds": round(end - start, 2),
        "read_seconds": round(report.read_at - start, 2),
        "classifier_seconds": round(report.classified_at - report.read_at, 2),
    }
    save_checkpoint(out / version, weights, meta, task.training.sha256)
    load_checkpoint(out / version, classes=names)
    return TrainingResult(version, out / version, meta)


def _plan(recipe: str, options: Mapping[str, Any], teacher: Checkpoint | None) -> Recipe:
    """Return the recipe with these settings. Raises `UsageError` for what it does not have."""
    plan = RECIPES.get(recipe)
    if plan is None:
        raise UsageError(f"there is no recipe {recipe!r}: choose from {', '.join(RECIPES)}")
    if teacher is not None:
        if plan.taught is None:
            raise UsageError(f"the recipe {recipe!r} takes no teacher: choose small")
        plan = plan.taught
    there_are = {field.name for field in dataclasses.fields(plan.settings)}
    for name in options:
        if name not in there_are:
            raise UsageError(
                f"the recipe {recipe!r} has no setting {name!r}: it has "
                f"{', '.join(sorted(there_are))}"
            )
    return dataclasses.replace(plan, settings=dataclasses.replace(plan.settings, **options))


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
        self._steps: list[tuple[str, float]] = []
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

    def step(self, words: str) -> None:
        self._steps.append((words, perf_counter()))
        self._epoch(words)

    def steps(self, end: float) -> dict[str, float]:
        """Return how many seconds each step took that the recipe announced."""
        marks = [*self._steps, ("", end)]
        return {words: round(until - begun, 2) for (words, begun), (_, until) in pairwise(marks)}

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
    learnt_from: list[SourceItem],
    held_out: list[SourceItem],
    classes: tuple[str, ...],
    sides: tuple[int, int],
    report: "_Reporter",
) -> tuple[PhotoArrays, PhotoArrays]:
    """Return (training, validation) photos, each decoded once and held at its side in pixels."""
    share = len(learnt_from) / (len(learnt_from) + len(held_out))

    def first(done: float, message: str) -> None:
        report.reading(share * done, message)

    def second(done: float, message: str) -> None:
        report.reading(share + (1 - share) * done, message)

    return (
        load_photos(learnt_from, sides[0], classes=classes, progress=first),
        load_photos(held_out, sides[1], classes=classes, progress=second),
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
