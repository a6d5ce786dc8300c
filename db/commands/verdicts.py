"""Write what a model on trial would put elsewhere, and what people say of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from db.schema import Difference, Verdict


def clear_differences(session: Session, model_version_id: int) -> None:
    """Forget what the last comparison of the model found."""
    session.execute(delete(Difference).where(Difference.model_version_id == model_version_id))


def add_differences(
    session: Session, model_version_id: int, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Store products that the model would put elsewhere; each has columns of `Difference`."""
    stored = [{**row, "model_version_id": model_version_id} for row in rows]
    if stored:
        session.execute(insert(Difference), stored)


def give_verdict(
    session: Session,
    model_version_id: int,
    product_id: int,
    verdict: str,
    reviewer: str,
    now: datetime,
) -> None:
    """Store what a person says of a product, in the place of what was said before."""
    take_verdict_back(session, model_version_id, product_id)
    session.add(
        Verdict(
            model_version_id=model_version_id,
            product_id=product_id,
            verdict=verdict,
            reviewer=reviewer,
            given_at=now,
        )
    )


def take_verdict_back(session: Session, model_version_id: int, product_id: int) -> None:
    """Forget what was said of a product, if anything was."""
    session.execute(
        delete(Verdict).where(
            Verdict.model_version_id == model_version_id, Verdict.product_id == product_id
        )
    )
