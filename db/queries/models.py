"""Read model versions."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from db.schema import ModelVersion, Prediction

NO_MODEL = 0  # no model has this id: then no product has a score


@dataclass(frozen=True)
class ModelRow:
    """One model version; `meta` is its birth certificate."""

    id: int
    version: str
    recipe: str
    classes: tuple[str, ...]
    dimension: int
    meta: dict[str, Any]
    is_active: bool
    created_at: datetime
    is_discarded: bool = False


def active(session: Session) -> ModelRow | None:
    """Return the active version, None where there is none yet."""
    return _one(session, _active())


def active_id(session: Session) -> int:
    """Return the number of the active version, `NO_MODEL` where there is none yet."""
    return session.scalar(_active_id()) or NO_MODEL


def by_version(session: Session, version: str) -> ModelRow | None:
    """Return the version of that name."""
    return _one(session, select(ModelVersion).where(ModelVersion.version == version))


def all_versions(session: Session) -> list[ModelRow]:
    """Return all versions, the newest first."""
    rows = session.scalars(select(ModelVersion).order_by(ModelVersion.id.desc()))
    return [_row(found) for found in rows]


def prediction_counts(session: Session) -> dict[int, int]:
    """Return model version id → how many products it has classified."""
    counts = select(Prediction.model_version_id, func.count()).group_by(Prediction.model_version_id)
    return dict(session.execute(counts).all())


@cache
def _active_id() -> Select[int]:
    return select(ModelVersion.id).where(ModelVersion.is_active)


@cache
def _active() -> Select[ModelVersion]:
    return select(ModelVersion).where(ModelVersion.is_active)


def _one(session: Session, query: Select[ModelVersion]) -> ModelRow | None:
    found = session.scalar(query)
    return None if found is None else _row(found)


def _row(found: ModelVersion) -> ModelRow:
    return ModelRow(
        id=found.id,
        version=found.version,
        recipe=found.recipe,
        classes=tuple(found.classes),
        dimension=found.dimension,
        meta=found.meta,
        is_active=found.is_active,
        created_at=found.created_at,
        is_discarded=found.is_discarded,
    )
