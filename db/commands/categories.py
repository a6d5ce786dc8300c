"""Write categories: names that people added or gave up, and a name given to all its products.

What carries a name is changed by one statement each, however many products that are: rows never
travel through the program.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, false, literal, or_, select, true, update
from sqlalchemy.orm import Session

from db.commands import at_once
from db.commands.at_once import Signed
from db.pieces import in_parts
from db.schema import Assessment, Category, Decision, LabelScore, Product, UtcDateTime


def put(
    session: Session,
    name: str,
    normal_name: str,
    renamed_to: str | None,
    created_by: str,
    now: datetime,
) -> None:
    """Say of a name that it is a category, or that it was given up for another."""
    forget(session, [normal_name])
    session.add(
        Category(
            name=name,
            normal_name=normal_name,
            renamed_to=renamed_to,
            created_by=created_by,
            created_at=now,
        )
    )
    session.flush()


def forget(session: Session, normal_names: Collection[str]) -> None:
    """Take back what people said of these names."""
    for part in in_parts(normal_names):
        session.execute(delete(Category).where(Category.normal_name.in_(part)))


def relabel_all(
    session: Session, labels: Collection[str], to: str, batch_id: int, reviewer: str, now: datetime
) -> int:
    """Give `to` to every product that carries one of `labels`; return how many there were.

    Each gets a row among the decisions, of which none is a review.
    """
    changed = 0
    for part in in_parts(labels):
        at_once.note_relabelling(session, part, to, Signed(batch_id, reviewer, now))
        done = session.execute(_relabel(to, now).where(Product.label_current.in_(part)))
        changed += done.rowcount  # type: ignore[attr-defined]
    return changed


def take_back_deliveries(
    session: Session, given: Collection[str], carried: str, to: str, batch_id: int, now: datetime
) -> None:
    """Call open products `to` that came in as `given` and were taken as `carried`.

    Those of the batch itself are left to whoever undoes it.
    """
    own = select(Decision.product_id).where(Decision.batch_id == batch_id)
    for part in in_parts(given):
        session.execute(
            _relabel(to, now).where(
                Product.label_current == carried,
                Product.label_given.in_(part),
                Product.review_state == "open",
                Product.id.not_in(own),
            )
        )


def rename_in_scores(session: Session, names: Collection[str], to: str) -> None:
    """Let what assessments say speak of `to` instead of `names`, so that nothing goes stale.

    What they take for `names` they then take for `to`: a product that carries it is right.
    """
    for part in in_parts(names):
        _rename_in_scores(session, part, to)
    given_up = set(names)
    for assessment in session.scalars(select(Assessment)):
        assessment.classes = [to if name in given_up else name for name in assessment.classes]


def _rename_in_scores(session: Session, names: list[str], to: str) -> None:
    """In two statements, for each looks at all scores: of who carries `names`, of the others."""
    label, suggestion = LabelScore.label, LabelScore.suggestion
    means_it = suggestion.in_([*names, to])
    session.execute(
        update(LabelScore)
        .where(label.in_(names))
        .values(
            label=to,
            suggestion=case((means_it, to), else_=suggestion),
            looks_wrong=case((means_it, false()), else_=LabelScore.looks_wrong),
            known_label=True,
        )
    )
    is_it = label == to
    session.execute(
        update(LabelScore)
        .where(
            or_(
                suggestion.in_(names),
                and_(is_it, LabelScore.known_label.is_(False)),
                and_(is_it, suggestion == to, LabelScore.looks_wrong.is_(True)),
            )
        )
        .values(
            suggestion=case((means_it, to), else_=suggestion),
            looks_wrong=case((and_(is_it, means_it), false()), else_=LabelScore.looks_wrong),
            known_label=case((is_it, true()), else_=LabelScore.known_label),
        )
    )


def make_known(session: Session, labels: Collection[str]) -> None:
    """Take labels for categories in what assessments say, until the next one judges them."""
    for part in in_parts(labels):
        session.execute(
            update(LabelScore)
            .where(LabelScore.label.in_(part), LabelScore.known_label.is_(False))
            .values(known_label=True)
        )


def _relabel(to: str, now: datetime) -> Any:
    return update(Product).values(
        label_current=to, version=Product.version + 1, updated_at=literal(now, UtcDateTime)
    )
