"""Write model versions."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.schema import ModelVersion


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
    """Make one version the active one, and no other; False where there is none of that name."""
    found = session.scalar(select(ModelVersion.id).where(ModelVersion.version == version))
    if found is None:
        return False
    session.execute(update(ModelVersion).where(ModelVersion.is_active).values(is_active=False))
    session.execute(update(ModelVersion).where(ModelVersion.id == found).values(is_active=True))
    return True
