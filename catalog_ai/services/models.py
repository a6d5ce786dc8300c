"""Model versions: what there is, which is active, and asking for a new one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from catalog_ai.errors import UnknownVersionError, UsageError
from catalog_ai.services import jobs
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.training import look_again
from db.commands import models as commands
from db.engine import read, write
from db.queries import models as queries
from db.queries import notes

RECIPES = {
    "small": "Quick, a minute or a few",
    "default": "The best, about twenty minutes",
    "article": "The article's recipe, as printed",
}


@dataclass(frozen=True)
class ModelView:
    """One version with its birth certificate, `meta`; `predictions` is how many it has made."""

    version: str
    recipe: str
    classes: tuple[str, ...]
    created_at: datetime
    is_active: bool
    metrics: dict[str, Any]
    history: dict[str, list[dict[str, Any]]]
    confusion: list[list[int]]
    per_class: dict[str, float | None]
    meta: dict[str, Any]
    predictions: int


@dataclass(frozen=True)
class Activation:
    """When somebody chose a version to be the active one."""

    version: str
    by: str
    at: datetime


def list_models(catalogue: Catalogue, *, discarded: bool = False) -> tuple[ModelView, ...]:
    """Return all versions, the newest first: those in use, or those that were discarded."""
    with in_plain_words(), read(catalogue.engine) as session:
        rows = [row for row in queries.all_versions(session) if row.is_discarded is discarded]
        counts = queries.prediction_counts(session)
    return tuple(_view(row, counts.get(row.id, 0)) for row in rows)


def activations(catalogue: Catalogue) -> tuple[Activation, ...]:
    """Return which versions were chosen to be the active one, the latest first."""
    with in_plain_words(), read(catalogue.engine) as session:
        lines = notes.note(session, commands.ACTIVATIONS).splitlines()
    parts = (line.split("\t") for line in lines)
    return tuple(Activation(name, by, datetime.fromisoformat(at)) for at, name, by in parts)


def active_model(catalogue: Catalogue) -> ModelView | None:
    """Return the active version, None where there is none yet."""
    return next((model for model in list_models(catalogue) if model.is_active), None)


def activate(catalogue: Catalogue, version: str, *, requested_by: str) -> None:
    """Use `version` from now on; the worker looks at all photos again. The others stay loadable.

    An earlier version is as good as a later one: that is how to go back. Raises
    `UnknownVersionError`, also for a version that was discarded.
    """
    with in_plain_words(), write(catalogue.engine, touches=("models",)) as session:
        if not commands.activate(session, version):
            raise UnknownVersionError(_why_not(queries.all_versions(session), version))
        commands.note_activation(session, version, requested_by, datetime.now(UTC))
    look_again(catalogue, version, requested_by=requested_by)


def start_training(
    catalogue: Catalogue,
    *,
    recipe: str,
    epochs: int | None = None,
    siamese_epochs: int | None = None,
    activate: bool = False,
    requested_by: str = "",
) -> int:
    """Ask the worker to train on the catalogue's own photos and labels; return the job's id.

    Raises `UsageError` for an unknown recipe, or a number of epochs that cannot be.
    """
    if recipe not in RECIPES:
        raise UsageError(f"there is no recipe {recipe!r}: choose from {', '.join(RECIPES)}")
    if epochs is not None and epochs < 1:
        raise UsageError(f"{epochs} epochs cannot be trained: choose 1 or more")
    if siamese_epochs is not None and siamese_epochs < 0:
        raise UsageError(f"{siamese_epochs} siamese epochs cannot be trained: choose 0 or more")
    parameters = {
        "recipe": recipe,
        "epochs": epochs,
        "siamese_epochs": siamese_epochs,
        "activate": activate,
    }
    return jobs.enqueue(catalogue, "train", parameters, requested_by=requested_by)


def _why_not(rows: list[queries.ModelRow], version: str) -> str:
    if any(row.version == version for row in rows):
        return f"the model {version!r} was discarded: bring it back first"
    known = ", ".join(row.version for row in rows if not row.is_discarded) or "none yet"
    return f"there is no model {version!r}: the versions are {known}"


def _view(row: queries.ModelRow, predictions: int) -> ModelView:
    meta = row.meta
    return ModelView(
        *(row.version, row.recipe, row.classes, row.created_at, row.is_active),
        metrics=meta.get("metrics", {}),
        history=meta.get("history", {}),
        confusion=meta.get("confusion", []),
        per_class=meta.get("per_class", {}),
        meta=meta,
        predictions=predictions,
    )
