"""Decide about many products in one statement: their rows never travel through the program.

While it runs nobody else can write: what a hundred thousand rows would cost one by one, all others
would wait.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, String, case, cast, insert, literal, select
from sqlalchemy.orm import Session

from db.commands.decisions import take_effect
from db.queries import batches, restorable
from db.queries.batches import Pairs
from db.queries.wanted import Filter
from db.schema import Decision, LabelScore, Product, UtcDateTime
from db.server import learn_sizes


@dataclass(frozen=True)
class Signed:
    """What all decisions of a batch have in common."""

    batch_id: int
    reviewer: str
    now: datetime


@dataclass(frozen=True)
class Choice:
    """What is decided about each product: one of `schema.ACTIONS`, and the state that follows.

    A product becomes `label`, or with `suggested` what is suggested for it; with neither its label
    stays. One that has the label already is kept: `same` are pairs, what a product carries and what
    it would become, that are one label in two spellings.
    """

    action: str
    state: str
    label: str | None = None
    suggested: bool = False
    same: Pairs = ()


def decide_wanted(
    session: Session,
    wanted: Filter,
    without: Collection[int],
    choice: Choice,
    model_version_id: int,
    signed: Signed,
) -> None:
    """Decide the same about all that is wanted, but for `without`.

    What has no suggestion is left alone where it is to become what is suggested. Who is wanted is
    settled before the first product changes.
    """
    values = {
        **_of_product(signed),
        **_becomes(choice),
        "label_before": Product.label_current,
        "state_before": Product.review_state,
        "suggestion": LabelScore.suggestion,
        "score": LabelScore.score,
        "model_version_id": literal(model_version_id or None, Integer),
    }
    rows = batches.wanted_rows(
        list(values.values()), model_version_id, wanted, scores=True, without=without
    )
    if choice.suggested:
        rows = rows.where(LabelScore.suggestion.is_not(None))
    _insert(session, values, rows.order_by(Product.id))
    take_effect(session, signed.batch_id, signed.now)


def take_back(session: Session, batch_id: int, same: Pairs, signed: Signed) -> None:
    """Take back what of a batch can be, see `restorable`: labels and states are as before it."""
    values = {
        **_of_product(signed),
        "action": literal("undo", String),
        "label_before": Decision.label_after,
        "label_after": Decision.label_before,
        "state_before": Decision.state_after,
        "state_after": Decision.state_before,
        "suggestion": Decision.suggestion,
        "score": Decision.score,
        "undoes_id": Decision.id,
    }
    _insert(session, values, restorable.rows(list(values.values()), batch_id, same))
    take_effect(session, signed.batch_id, signed.now)


def note_relabelling(session: Session, labels: list[str], to: str, signed: Signed) -> None:
    """Note that all products that carry one of `labels`, 500 at most, become `to`.

    No review was made: the state stays as it is, and neither score nor suggestion is noted. The
    products themselves are not changed here.
    """
    values = {
        **_of_product(signed),
        "action": literal("relabel", String),
        "label_before": Product.label_current,
        "label_after": literal(to, String),
        "state_before": Product.review_state,
        "state_after": Product.review_state,
    }
    rows = select(*values.values()).where(Product.label_current.in_(labels))
    _insert(session, values, rows.order_by(Product.id))


def _becomes(choice: Choice) -> dict[str, Any]:
    """Return what becomes of a product, row by row."""
    action, state = literal(choice.action, String), literal(choice.state, String)
    if not choice.suggested and choice.label is None:
        return {"action": action, "label_after": Product.label_current, "state_after": state}
    new: Any = LabelScore.suggestion if choice.suggested else literal(choice.label, String)
    has_it = batches.one_label(Product.label_current, new, choice.same)
    return {
        "action": case((has_it, literal("keep", String)), else_=action),
        "label_after": case((has_it, Product.label_current), else_=new),
        "state_after": case((has_it, literal("kept", String)), else_=state),
    }


def _of_product(signed: Signed) -> dict[str, Any]:
    """Return what a decision says of its product as it is, and who decided when.

    Its key follows from its batch and its product.
    """
    return {
        "product_id": Product.id,
        "label_given": Product.label_given,
        "image_sha256": Product.image_sha256,
        "reviewer": literal(signed.reviewer, String),
        "note": literal("", String),
        "request_key": literal(f"batch-{signed.batch_id}-", String) + cast(Product.id, String),
        "decided_at": literal(signed.now, UtcDateTime),
        "batch_id": literal(signed.batch_id, Integer),
    }


def _insert(session: Session, values: dict[str, Any], rows: Select[Any]) -> None:
    session.execute(insert(Decision).from_select(list(values), rows, include_defaults=False))
    learn_sizes(session, Decision.__tablename__)
