"""Read how reviewing goes: decisions per day, how often a score was right, what is left.

What counts as an answer: somebody looked at the photo and kept, changed or refused its label, and
nobody took it back. Rows that a filter or a renaming made, and second showings, say nothing new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.queries.review import fresh
from db.queries.wanted import Filter, conditions
from db.schema import Batch, Decision, LabelScore, Product, Recheck

BINS = 10  # of the score, 0..1
RECENT = 20_000  # decisions: how right the scores are is a question about now
SURE = 0.6  # from here on a label is more likely wrong than right
_ANSWERS = ("keep", "accept", "relabel", "not_product")
_BY_HAND = or_(Decision.batch_id.is_(None), Batch.kind == "sheet")


@dataclass(frozen=True)
class DayRow:
    """How many decisions were made on a day, the `day`th of those asked for."""

    day: int
    kept: int
    changed: int
    set_aside: int
    in_bulk: int


@dataclass(frozen=True)
class BinRow:
    """Of `decided` products whose score was in the `bin`th tenth, `wrong` were truly wrong."""

    bin: int
    decided: int
    wrong: int


@dataclass(frozen=True)
class LeftRow:
    """What looks wrong of one category: how many, how many truly will be, and of the sure ones."""

    category: str | None
    count: int
    wrong: float
    sure: float


def per_day(session: Session, begins: Sequence[datetime]) -> list[DayRow]:
    """Return what was decided on each day; the days begin at `begins`, the last has no end.

    Days without a decision have no row. What was taken back is left out.
    """
    # The reader's midnights are compared, since hours of UTC do not add up to days everywhere.
    later = sorted(enumerate(begins), reverse=True)
    day = case(*((Decision.decided_at >= begin, number) for number, begin in later), else_=-1)
    kind = case(
        (~_BY_HAND, "in_bulk"),
        (Decision.action == "keep", "kept"),
        (Decision.action.in_(("accept", "relabel")), "changed"),
        else_="set_aside",
    )
    made = (
        select(day.label("day"), kind.label("kind"))
        .outerjoin(Batch, Batch.id == Decision.batch_id)
        .where(Decision.decided_at >= begins[0], Decision.action != "undo", ~_undone())
        .subquery()
    )
    query = (
        select(made.c.day, made.c.kind, func.count())
        .group_by(made.c.day, made.c.kind)
        .order_by(made.c.day)
    )
    days: dict[int, dict[str, int]] = {}
    for number, name, count in session.execute(query):
        days.setdefault(number, dict.fromkeys(("kept", "changed", "set_aside", "in_bulk"), 0))
        days[number][name] = count
    return [DayRow(number, **counts) for number, counts in days.items()]


def by_score(session: Session) -> list[BinRow]:
    """Return how often a label was truly wrong, by tenths of its score.

    The score is the one that was seen first, the truth what stands in the end: of a photo that was
    decided twice, and under the same label of the feed, both are one. Only the `RECENT` count.
    """
    newest = select(func.max(Decision.id)).scalar_subquery()
    seen = (
        _answers(func.min(Decision.id).label("first"), func.max(Decision.id).label("last"))
        .where(Decision.id > newest - RECENT)
        .group_by(Decision.product_id, Decision.image_sha256, Decision.label_given)
        .subquery()
    )
    first, last = aliased(Decision), aliased(Decision)
    tenths = (((first.score >= n / BINS), n) for n in reversed(range(1, BINS)))
    judged = (
        select(case(*tenths, else_=0).label("bin"), _wrong(first, last).label("wrong"))
        .select_from(seen)
        .join(first, first.id == seen.c.first)
        .join(last, last.id == seen.c.last)
        .where(first.score.is_not(None))
        .subquery()
    )
    wrong = func.count().filter(judged.c.wrong)
    query = select(judged.c.bin, func.count(), wrong).group_by(judged.c.bin)
    return [BinRow(*found) for found in session.execute(query.order_by(judged.c.bin))]


def lately(session: Session, limit: int) -> tuple[int, int]:
    """Return (answers, truly wrong labels) of the last `limit` answers about scored labels."""
    newest = (
        _answers(_wrong(Decision, Decision).label("wrong"))
        .where(Decision.score.is_not(None))
        .order_by(Decision.id.desc())
        .limit(limit)
        .subquery()
    )
    query = select(func.count(), func.count().filter(newest.c.wrong)).select_from(newest)
    answers, wrong = session.execute(query).one()
    return answers, wrong


def left(session: Session, model_version_id: int) -> list[LeftRow]:
    """Return what looks wrong by category, the category first in which most probably is."""
    wrong = func.sum(LabelScore.score)
    sure = func.sum(case((LabelScore.score >= SURE, LabelScore.score), else_=0.0))
    query = (
        _looks_wrong(model_version_id, Product.label_current, func.count(), wrong, sure)
        .group_by(Product.label_current)
        .order_by(wrong.desc(), Product.label_current)
    )
    return [LeftRow(*found) for found in session.execute(query)]


def next_scores(session: Session, model_version_id: int, limit: int) -> list[float]:
    """Return the scores of what comes next in the queue."""
    query = _looks_wrong(model_version_id, LabelScore.score)
    query = query.order_by(LabelScore.score.desc(), Product.id).limit(limit)
    return [score for score in session.scalars(query) if score is not None]


def _answers(*columns: Any) -> Select[Any]:
    shown_again = exists().where(Recheck.answer_id == Decision.id)
    return (
        select(*columns)
        .select_from(Decision)
        .outerjoin(Batch, Batch.id == Decision.batch_id)
        .where(Decision.action.in_(_ANSWERS), _BY_HAND, ~_undone(), ~shown_again)
    )


def _undone() -> ColumnElement[bool]:
    undo = aliased(Decision)
    return exists().where(undo.undoes_id == Decision.id)


def _wrong(first: Any, last: Any) -> ColumnElement[bool]:
    """The label that was there at first is not what stands in the end."""
    return or_(
        last.state_after == "not_product",
        last.label_after.is_distinct_from(first.label_before),
    )


def _looks_wrong(model_version_id: int, *columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(Product)
        .join(LabelScore, fresh(model_version_id))
        .where(*conditions(Filter("wrong"), model_version_id))
    )
