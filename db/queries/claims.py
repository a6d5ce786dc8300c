"""Read who is looking at which product."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.schema import Claim


@dataclass(frozen=True)
class ClaimRow:
    """Who has a product; the fields are those of `schema.Claim`."""

    product_id: int
    holder: str
    reviewer: str
    until: datetime


def claims(session: Session, product_ids: Sequence[int], now: datetime) -> dict[int, ClaimRow]:
    """Return product id → who has it, claims that ran out left aside."""
    query = select(Claim).where(Claim.product_id.in_(product_ids), Claim.until > now)
    return {
        found.product_id: ClaimRow(found.product_id, found.holder, found.reviewer, found.until)
        for found in session.scalars(query)
    }


def held(session: Session, holder: str, now: datetime) -> dict[int, datetime]:
    """Return product id → until when, of all that somebody has."""
    query = select(Claim.product_id, Claim.until).where(Claim.holder == holder, Claim.until > now)
    return dict(session.execute(query).all())
