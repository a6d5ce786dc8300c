"""Write who is looking at which product."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from db.schema import Claim


def replace_claims(
    session: Session,
    product_ids: Sequence[int],
    *,
    holder: str,
    reviewer: str,
    until: datetime,
    now: datetime,
) -> None:
    """Let `holder` have these products and no others; what ran out is forgotten."""
    session.execute(delete(Claim).where((Claim.holder == holder) | (Claim.until <= now)))
    rows = [
        {"product_id": number, "holder": holder, "reviewer": reviewer, "until": until}
        for number in product_ids
    ]
    if rows:
        session.execute(insert(Claim), rows)


def release(session: Session, product_ids: Sequence[int]) -> None:
    """Let go of products, whoever has them: they were decided."""
    session.execute(delete(Claim).where(Claim.product_id.in_(product_ids)))
