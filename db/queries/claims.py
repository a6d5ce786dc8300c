"""Read who is looking at which product."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy.orm import Session

from db.schema import Claim


@dataclass(frozen=True)
class ClaimRow:
    """Who has a product; the fields are those of `schema.Claim`."""

    product_id: int
    holder: str
    reviewer: str
    until: datetime


def claims(
    session: Session, product_ids: Sequence[int], holder: str, now: datetime
) -> dict[int, ClaimRow]:
    """Return product id → who has it, of these and of all that `holder` has.

    Claims that ran out are left aside.
    """
    asked = {"product_ids": list(product_ids), "holder": holder, "now": now}
    return {found.product_id: ClaimRow(*found) for found in session.execute(_claims(), asked)}


@cache
def _claims() -> Select[int, str, str, datetime]:
    these = Claim.product_id.in_(bindparam("product_ids", expanding=True))
    return select(Claim.product_id, Claim.holder, Claim.reviewer, Claim.until).where(
        or_(these, Claim.holder == bindparam("holder")), Claim.until > bindparam("now")
    )
