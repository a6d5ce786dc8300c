"""Train a model version and register it with the catalogue."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog_ai.data.held_out import is_held_out
from catalog_ai.data.sources import Source, SourceItem, read_source
from catalog_ai.errors import TrainingDataError, UsageError
from catalog_ai.services import jobs
from catalog_ai.services.catalogue import Catalogue, in_plain_words, status
from catalog_ai.training.names import LOSSES as LOSSES
from catalog_ai.training.names import MINING as MINING
from db.commands import models as commands
from db.engine import read, write
from db.queries import models, products

if TYPE_CHECKING:
    from catalog_ai.checkpoint import Checkpoint

DEFAULT_RECIPE = "small"
# Settings of recipes that can be given one by one; which recipe has which, it says itself.
SETTINGS = (
    *("backbone", "weights", "frozen_stages", "size", "loss", "mining", "margin"),
    "squeeze_excitation",
)

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class TrainedVersion:
    """A registered model version; `meta` is its birth certificate."""

    version: str
    is_active: bool
    meta: dict[str, Any]


def train_version(
    catalogue: Catalogue,
    *,
    data: Path | None = None,
    recipe: str = DEFAULT_RECIPE,
    classes: Sequence[str] | None = None,
    epochs: int | None = None,
    siamese_epochs: int | None = None,
    seed: int = 0,
    version: str | None = None,
    teacher: str | None = None,
    options: Mapping[str, Any] | None = None,
    activate: bool = False,
    progress: Progress | None = None,
) -> TrainedVersion:
    """Train on the folder `data`, or on the catalogue's own photos and labels, and register it.

    `options` replace settings of the recipe by name, `teacher` is a version to learn from besides.
    The first version becomes the active one, `activate` makes a later one so. Raises `UsageError`,
    `SourceError`, `TrainingDataError`, `CheckpointError`, `DatabaseError`.
    """
    from catalog_ai.training.recipes import train_recipe

    source = own_photos(catalogue) if data is None else read_source(data)
    result = train_recipe(
        *(recipe, source),
        out=catalogue.settings.models,
        version=version,
        classes=classes,
        epochs=epochs,
        siamese_epochs=siamese_epochs,
        seed=seed,
        options=options,
        teacher=None if teacher is None else _teacher(catalogue, teacher),
        progress=progress,
    )
    activate = activate or not status(catalogue).has_model
    register(catalogue, result.folder, activate=activate)
    return TrainedVersion(result.version, activate, result.meta)


def _teacher(catalogue: Catalogue, version: str) -> "Checkpoint":
    from catalog_ai.checkpoint import load_checkpoint
    from catalog_ai.services.classifying import model_row

    row = model_row(catalogue, version)
    return load_checkpoint(catalogue.settings.models / row.version)


def register(catalogue: Catalogue, folder: Path, *, activate: bool) -> None:
    """Make the checkpoint in `folder` known; with `activate` it classifies from now on.

    Raises `UsageError` where its version is known already.
    """
    from catalog_ai.model_folder import load_meta

    meta = load_meta(folder)
    with in_plain_words(), write(catalogue.engine, touches=("models",)) as session:
        if models.by_version(session, meta["version"]) is not None:
            raise UsageError(f"the model {meta['version']!r} is registered already")
        commands.add_version(session, meta, datetime.now(UTC))
        if activate:
            commands.activate(session, meta["version"])
            commands.note_activation(session, meta["version"], "", datetime.now(UTC))
    if activate:
        look_again(catalogue, meta["version"])


def look_again(catalogue: Catalogue, version: str, *, requested_by: str = "") -> None:
    """Ask the worker for all that depends on the active model: vectors, scores, the map."""
    with in_plain_words():
        with read(catalogue.engine) as session:
            if not products.count(session):
                return
        jobs.enqueue(catalogue, "embed", {"version": version}, requested_by=requested_by)
        jobs.enqueue(catalogue, "assess", requested_by=requested_by)
        jobs.enqueue(catalogue, "project", requested_by=requested_by)


def own_photos(catalogue: Catalogue) -> Source:
    """Return the catalogue's stored photos with the labels that it holds now.

    Left out: what is no product photo, and what waits for a second look. The photos that no model
    learns from (`is_held_out`) are for validation, so that any two models can be compared on them.
    Raises `TrainingDataError` where nothing is left.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        rows = products.everything(session)
    kept = [row for row in rows if row.review_state not in {"not_product", "second_look"}]
    if not kept:
        raise TrainingDataError(
            "the catalogue has no photos to learn from: name a folder with --data, or run "
            "python -m catalog_ai.ingest FOLDER first"
        )
    learnt = {row.label_current for row in kept if not is_held_out(row.image_sha256)}
    items = tuple(
        SourceItem(
            *(row.sku, catalogue.settings.home, row.stored_image, row.label_current),
            # A category of which every photo is held out could not be learnt at all.
            split="validation"
            if is_held_out(row.image_sha256) and row.label_current in learnt
            else "train",
            digest=row.image_sha256,
        )
        for row in kept
    )
    return Source(catalogue.settings.home, "folders", items)
