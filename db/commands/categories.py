"""Write categories: names that people added or gave up, and a name given to all its products.

What carries a name is changed by one statement each, however many products that are: rows never
travel through the program.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import String, cast, delete, insert, literal, select, update
from sqlalchemy.orm import Session

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

    Each gets a row among the decisions. No review was made: the state stays as it is, and neither
    score nor suggestion is noted.
    """
    changed = 0
    for part in in_parts(labels):
        carries = Product.label_current.in_(part)
        values = {
            "product_id": Product.id,
            "action": literal("relabel"),
            "label_given": Product.label_given,
            "label_before": Product.label_current,
            "label_after": literal(to, String),
            "state_before": Product.review_state,
            "state_after": Product.review_state,
            "image_sha256": Product.image_sha256,
            "reviewer": literal(reviewer, String),
            "note": literal("", String),
            "request_key": literal(f"batch-{batch_id}-", String) + cast(Product.id, String),
            "decided_at": literal(now, UtcDateTime),
            "batch_id": literal(batch_id),
        }
        rows = select(*values.values()).where(carries).order_by(Product.id)
        session.execute(insert(Decision).from_select(list(values), rows, include_defaults=False))
        done = session.execute(_relabel(to, now).where(carries))
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
        for column in (LabelScore.label, LabelScore.suggestion):
            session.execute(update(LabelScore).where(column.in_(part)).values({column: to}))
    session.execute(
        update(LabelScore)
        .where(LabelScore.label == to, LabelScore.suggestion == to)
        .values(looks_wrong=False)
    )
    make_known(session, [to])
    given_up = set(names)
    for assessment in session.scalars(select(Assessment)):
        assessment.classes = [to if name in given_up else name for name in assessment.classes]


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
