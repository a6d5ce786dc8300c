"""Share a queue: who is shown a product has it for five minutes, and the next one gets another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.commands import claims as commands
from db.engine import read, write
from db.queries import claims as queries

FOR = timedelta(minutes=5)
_RENEW = timedelta(minutes=2)  # a page is drawn often: claims are written again when this is left


@dataclass(frozen=True)
class Claims:
    """What this browser has now, in the order asked for, and product id → who has another."""

    mine: tuple[int, ...]
    others: dict[int, str]


@dataclass(frozen=True)
class Following:
    """The product that a browser session, `holder`, shows after a decision."""

    product_id: int
    holder: str


def claim(
    catalogue: Catalogue,
    product_ids: Sequence[int],
    *,
    holder: str,
    reviewer: str,
    most: int = 1,
    keep: int | None = None,
    now: datetime | None = None,
) -> Claims:
    """Claim the first `most` products that nobody else has, and let go of all others.

    `holder` is a browser session: one person with two windows is two. `keep` is a product that was
    asked for by name: it is claimed if it is free, and nothing in its place where it is not.
    """
    moment = now or datetime.now(UTC)
    with in_plain_words(), read(catalogue.engine) as session:
        taken = queries.claims(session, product_ids, holder, moment)
    chosen, others = _choose(taken, product_ids, holder, most, keep)
    held = {number: row.until for number, row in taken.items() if row.holder == holder}
    if set(held) == set(chosen) and all(until - moment > _RENEW for until in held.values()):
        return Claims(tuple(chosen), others)
    with in_plain_words(), write(catalogue.engine) as session:
        taken = queries.claims(session, product_ids, holder, moment)
        chosen, others = _choose(taken, product_ids, holder, most, keep)
        commands.replace_claims(
            session, chosen, holder=holder, reviewer=reviewer, until=moment + FOR, now=moment
        )
    return Claims(tuple(chosen), others)


def go_on(session: Session, following: Following | None, reviewer: str, now: datetime) -> None:
    """Claim what is shown next, if it is free, within the transaction that stores a decision."""
    if following is None:
        return
    number, holder = following.product_id, following.holder
    mine, _ = _choose(queries.claims(session, [number], holder, now), [number], holder, 1, None)
    if mine:
        who = {"holder": holder, "reviewer": reviewer}
        commands.replace_claims(session, mine, **who, until=now + FOR, now=now)


def _choose(
    taken: dict[int, queries.ClaimRow],
    product_ids: Sequence[int],
    holder: str,
    most: int,
    keep: int | None,
) -> tuple[list[int], dict[int, str]]:
    """Return what can be had, and who has what cannot."""
    others = {number: row.reviewer for number, row in taken.items() if row.holder != holder}
    asked = [number for number in product_ids if keep is None or number == keep]
    return [number for number in asked if number not in others][:most], others
