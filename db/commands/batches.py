"""Write batches: many decisions that are made as one."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from db.schema import Batch


def add_batch(
    session: Session,
    kind: str,
    words: str,
    parameters: dict[str, Any],
    products: int,
    reviewer: str,
    request_key: str,
    now: datetime,
    undoes_id: int | None = None,
) -> int:
    """Note that many decisions are made as one; return the batch's id."""
    batch = Batch(
        kind=kind,
        words=words,
        parameters=parameters,
        products=products,
        reviewer=reviewer,
        undoes_id=undoes_id,
        request_key=request_key,
        made_at=now,
    )
    session.add(batch)
    session.flush()
    return batch.id
