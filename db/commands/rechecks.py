"""Choose decisions that are shown a second time, and note how they were answered."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Select, insert, or_, select, update
from sqlalchemy.orm import Session

from db.pieces import in_parts
from db.schema import Batch, Decision, Recheck

ONE_IN = 50  # decisions
ANSWERS = ("keep", "accept", "relabel", "not_product")  # what somebody can agree with later


def pick(session: Session, decision_ids: Iterable[int]) -> list[int]:
    """Choose one decision in fifty to be shown again; return the chosen ones.

    Call it with whatever was just stored, in the same transaction: undo, second look, and decisions
    that a filter or a renaming made for many products at once are never chosen.
    """
    drawn = [number for number in decision_ids if _is_drawn(number)]
    chosen = [number for part in in_parts(drawn) for number in session.scalars(_seen(part))]
    if chosen:
        session.execute(insert(Recheck), [{"decision_id": number} for number in chosen])
    return chosen


def answered(
    session: Session, decision_id: int, answer_id: int, *, agrees: bool, now: datetime
) -> None:
    """Note what somebody decided who was shown a decision's product again."""
    session.execute(
        update(Recheck)
        .where(Recheck.decision_id == decision_id)
        .values(answer_id=answer_id, agrees=agrees, answered_at=now)
    )


def reopen(session: Session, answer_id: int) -> None:
    """Forget an answer that was taken back, if it was one: its decision is shown again."""
    session.execute(
        update(Recheck)
        .where(Recheck.answer_id == answer_id)
        .values(answer_id=None, agrees=None, answered_at=None)
    )


def _is_drawn(decision_id: int) -> bool:
    """The same for ever, and not one that a reviewer sees coming: no plain "every fiftieth"."""
    drawn = hashlib.sha256(f"recheck-{decision_id}".encode()).digest()
    return int.from_bytes(drawn, "big") % ONE_IN == 0


def _seen(decision_ids: Sequence[int]) -> Select[int]:
    """Those decisions for which a person looked at the photo."""
    return (
        select(Decision.id)
        .outerjoin(Batch, Batch.id == Decision.batch_id)
        .where(
            Decision.id.in_(decision_ids),
            Decision.action.in_(ANSWERS),
            or_(Decision.batch_id.is_(None), Batch.kind == "sheet"),
        )
        .order_by(Decision.id)
    )
