"""Write model versions, and forget what a discarded one said."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.commands.notes import set_note
from db.queries.notes import note
from db.schema import Embedding, Features, ModelVersion, Prediction

ACTIVATIONS = "activations"  # note: a line for each, the latest first
_KEPT = 20  # lines


def add_version(session: Session, meta: dict[str, Any], now: datetime) -> int:
    """Register a trained model by its birth certificate; return its id."""
    row = ModelVersion(
        version=meta["version"],
        recipe=meta["recipe"],
        classes=meta["classes"],
        dimension=meta["architecture"]["dimension"],
        meta=meta,
        is_active=False,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row.id


def activate(session: Session, version: str) -> bool:
    """Make one version the active one, and no other.

    False where there is none of that name, or it was discarded.
    """
    found = session.scalar(
        select(ModelVersion.id).where(
            ModelVersion.version == version, ModelVersion.is_discarded.is_(False)
        )
    )
    if found is None:
        return False
    session.execute(update(ModelVersion).where(ModelVersion.is_active).values(is_active=False))
    session.execute(update(ModelVersion).where(ModelVersion.id == found).values(is_active=True))
    return True


def note_activation(session: Session, version: str, by: str, now: datetime) -> None:
    """Remember which version somebody chose, and when."""
    line = "\t".join((now.isoformat(timespec="seconds"), version, " ".join(by.split())))
    before = note(session, ACTIVATIONS).splitlines()
    set_note(session, ACTIVATIONS, "\n".join([line, *before][:_KEPT]), now)


def set_discarded(session: Session, version: str, discarded: bool) -> None:
    """Hide a version from lists, or bring it back."""
    session.execute(
        update(ModelVersion).where(ModelVersion.version == version).values(is_discarded=discarded)
    )


def set_meta(session: Session, model_version_id: int, meta: dict[str, Any]) -> None:
    """Store a birth certificate in the place of the one before."""
    session.execute(
        update(ModelVersion).where(ModelVersion.id == model_version_id).values(meta=meta)
    )


def forget_outputs(session: Session, model_version_id: int, product_ids: Sequence[int]) -> None:
    """Delete what a version said of some products."""
    for table in (Prediction, Embedding, Features):
        session.execute(
            delete(table).where(
                table.model_version_id == model_version_id, table.product_id.in_(product_ids)
            )
        )
