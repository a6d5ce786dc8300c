"""Read which decisions are to be shown a second time, and how such were answered."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.queries.products import ProductRow, in_the_feed, row
from db.queries.review import ReviewRow, ScoreRow
from db.schema import Assessment, Claim, Decision, LabelScore, Prediction, Product, Recheck


@dataclass(frozen=True)
class TallyRow:
    """How many second showings ended so; `same` says that the same person answered twice."""

    same: bool
    agrees: bool
    count: int


@dataclass(frozen=True)
class DisagreementRow:
    """Two people, or one twice, who said different things; `note` tells both."""

    product: ProductRow
    note: str
    answered_at: datetime


def due(
    session: Session,
    model_version_id: int,
    *,
    reviewer: str,
    distance: int,
    skipped: tuple[int, ...],
    now: datetime,
) -> int | None:
    """Return the oldest decision that `reviewer` can be shown again, None where there is none.

    At least `distance` decisions were made since, and since the last one that `reviewer` was shown
    again. `skipped` are products that they do not want to see.
    """
    far = _far(session, distance)
    if far is None or _last_answer(session, reviewer) > far:
        return None
    asked = {"far": far, "skipped": list(skipped), "reviewer": reviewer, "now": now}
    oldest: int | None = session.scalar(_due(model_version_id), asked)
    return oldest


@lru_cache(maxsize=16)
def _due(model_version_id: int) -> Select[int]:
    claimed = exists().where(
        Claim.product_id == Decision.product_id,
        Claim.reviewer != bindparam("reviewer"),
        Claim.until > bindparam("now"),
    )
    return (
        _waiting(Recheck.decision_id)
        .outerjoin(LabelScore, _score(model_version_id))
        .where(
            Recheck.decision_id <= bindparam("far"),
            Decision.product_id.not_in(bindparam("skipped", expanding=True)),
            ~claimed,
            # Without what was suggested then, one would see that something is different.
            or_(Decision.suggestion.is_(None), LabelScore.product_id.is_not(None)),
        )
        .order_by(Recheck.decision_id)
        .limit(1)
    )


def waiting(session: Session) -> int:
    """Return how many decisions will be shown again, if nothing happens to them before."""
    count: int | None = session.scalar(_waiting(func.count()))
    return count or 0


def is_chosen(session: Session, decision_id: int) -> bool:
    """Return whether a decision was chosen to be shown again, answered or not."""
    return session.get(Recheck, decision_id) is not None


def seen(session: Session, model_version_id: int, product_id: int) -> ReviewRow | None:
    """Return a product with the present score of its photo, whichever label that judged."""
    looked = and_(
        Prediction.product_id == Product.id, Prediction.model_version_id == model_version_id
    )
    query = (
        select(Product, LabelScore, Assessment.classes, Prediction.trained_on)
        .outerjoin(LabelScore, _score(model_version_id))
        .outerjoin(Assessment, Assessment.id == LabelScore.assessment_id)
        .outerjoin(Prediction, looked)
        .where(Product.id == product_id)
    )
    found = session.execute(query).first()
    if found is None:
        return None
    product, score, classes, trained_on = found
    return ReviewRow(row(product), _score_row(score, classes), bool(trained_on))


def tallies(session: Session) -> list[TallyRow]:
    """Return how second showings ended."""
    first, second = aliased(Decision), aliased(Decision)
    same = first.reviewer == second.reviewer
    query = (
        select(same, Recheck.agrees, func.count())
        .select_from(Recheck)
        .join(first, first.id == Recheck.decision_id)
        .join(second, second.id == Recheck.answer_id)
        .group_by(same, Recheck.agrees)
    )
    return [TallyRow(bool(one), bool(two), count) for one, two, count in session.execute(query)]


def disagreements(session: Session, limit: int) -> list[DisagreementRow]:
    """Return second showings that ended differently, the newest first."""
    query = (
        select(Product, Decision.note, Decision.decided_at)
        .select_from(Recheck)
        .join(Decision, Decision.id == Recheck.answer_id)
        .join(Product, Product.id == Decision.product_id)
        .where(Recheck.agrees.is_(False))
        .order_by(Recheck.answer_id.desc())
        .limit(limit)
    )
    return [DisagreementRow(row(one), note, when) for one, note, when in session.execute(query)]


def _far(session: Session, distance: int) -> int | None:
    """Return the newest decision after which `distance` others were made, one by one.

    A batch is one act, however many products it is about: after it nobody has forgotten anything.
    """
    return session.scalar(_before(distance))


@lru_cache(maxsize=16)
def _before(distance: int) -> Select[int]:
    one_by_one = select(Decision.id).where(Decision.batch_id.is_(None))
    return one_by_one.order_by(Decision.id.desc()).offset(distance).limit(1)


def _last_answer(session: Session, reviewer: str) -> int:
    return session.scalar(_answered(), {"reviewer": reviewer}) or 0


@cache
def _answered() -> Select[int | None]:
    return (
        select(func.max(Recheck.answer_id))
        .join(Decision, Decision.id == Recheck.answer_id)
        .where(Decision.reviewer == bindparam("reviewer"))
    )


def _waiting(*columns: Any) -> Select[Any]:
    """Start a query over unanswered decisions whose product is as they left it."""
    return (
        select(*columns)
        .select_from(Recheck)
        .join(Decision, Decision.id == Recheck.decision_id)
        .join(Product, Product.id == Decision.product_id)
        .where(
            Recheck.answer_id.is_(None),
            in_the_feed(),
            Product.label_current.is_not_distinct_from(Decision.label_after),
            Product.label_given.is_not_distinct_from(Decision.label_given),
            Product.review_state == Decision.state_after,
            Product.image_sha256 == Decision.image_sha256,
            ~_overtaken(),
        )
    )


def _overtaken() -> ColumnElement[bool]:
    """The decision was taken back, or another one about its product stands."""
    back, later, later_back = aliased(Decision), aliased(Decision), aliased(Decision)
    return or_(
        exists().where(back.undoes_id == Decision.id),
        exists().where(
            later.product_id == Decision.product_id,
            later.id > Decision.id,
            later.action != "undo",
            ~exists().where(later_back.undoes_id == later.id),
        ),
    )


def _score(model_version_id: int) -> ColumnElement[bool]:
    return and_(
        LabelScore.product_id == Product.id,
        LabelScore.model_version_id == model_version_id,
        LabelScore.image_sha256 == Product.image_sha256,
    )


def _score_row(score: LabelScore | None, classes: list[str] | None) -> ScoreRow | None:
    if score is None:
        return None
    names = ScoreRow.__dataclass_fields__
    values = {name: getattr(score, name) for name in names if name != "classes"}
    values |= {"classes": tuple(classes or ()), "neighbours": tuple(score.neighbours)}
    return ScoreRow(**values)
